//! A file descriptor that one process passes to another through a socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// The byte that carries the descriptor.
const CARRIER: &[u8] = b"i";

/// Sends a descriptor. The socket must have room for a byte.
pub(crate) fn send(socket: impl AsFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    sendmsg(socket, &[IoSlice::new(CARRIER)], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

/// Receives a descriptor, and no further byte. It is closed in programs that this one starts.
pub(crate) fn receive(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0; 1];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::empty())?;
    let mut received = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            received = descriptors.into_iter().next().or(received);
        }
    }
    let descriptor = received.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no descriptor was passed"))?;
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_pipe_is_passed_and_what_follows_stays() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let (mut read, write) = io::pipe().unwrap();
        send(&here, write.as_fd()).unwrap();
        here.write_all(b"s").unwrap();
        drop(write);
        let mut passed = std::fs::File::from(receive(&there).unwrap());
        passed.write_all(b"through").unwrap();
        drop(passed);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        let mut rest = [0; 1];
        there.read_exact(&mut rest).unwrap();
        assert_eq!((text.as_str(), &rest), ("through", b"s"));
    }

    #[test]
    fn a_byte_without_a_descriptor_is_an_error() {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(b"i").unwrap();
        assert_eq!(receive(&there).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
