//! The suite on the model itself: the oracle must have every behaviour that backends must have.

longshore_testkit::store_suite!(longshore_testkit::MemoryStore);
longshore_testkit::limit_suite!(longshore_testkit::MemoryStore);
longshore_testkit::moving_suite!(longshore_testkit::MemoryStore);
longshore_testkit::workflow_suite!(longshore_testkit::MemoryStore);
