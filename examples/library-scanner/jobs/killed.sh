# Is killed from outside, as the kernel kills a process when memory runs out.
echo 'memory is getting tight' >&2
kill -KILL $$
