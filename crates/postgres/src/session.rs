pub(crate) mod fault;
pub(crate) mod pool;
pub(crate) mod runtime;
pub(crate) mod sql;
pub(crate) mod standing;
pub(crate) mod statements;
