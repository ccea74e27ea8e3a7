//! What the tests of a whole site share: things people do with the command line, the log
//! as it was exported, values that must not be found anywhere, calls below the client.

pub(crate) mod canaries;
pub(crate) mod clinic;
pub(crate) mod desk;
pub(crate) mod dummy;
pub(crate) mod log;
pub(crate) mod processes;
pub(crate) mod wire;
