//! The suite on the model itself: what is expected of every backend holds first of all for the oracle.

longshore_testkit::store_suite!(longshore_testkit::MemoryStore);
