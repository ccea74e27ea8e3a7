//! The cases by subject, and what they stand on.

pub(crate) mod bring_ins;
pub(crate) mod catalogue;
pub(crate) mod closing;
pub(crate) mod cluster;
pub(crate) mod connection;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod people;
pub(crate) mod reidentifications;
pub(crate) mod reviews;
pub(crate) mod runs;
pub(crate) mod site;
pub(crate) mod study;
pub(crate) mod wire;

use std::future::Future;

use sekisho_store::StoreError;

/// Runs all of them at once, each as a task of its own, and returns their values in order.
pub(crate) async fn at_once<T, F>(tasks: impl IntoIterator<Item = F>) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    futures::future::join_all(running).await.into_iter().map(Result::unwrap).collect()
}

/// The code of a conflict; anything else fails the case.
#[track_caller]
pub(crate) fn conflict<T>(result: Result<T, StoreError>) -> &'static str {
    match result {
        Err(StoreError::Conflict { code, .. }) => code,
        Err(other) => panic!("no conflict: {other:?}"),
        Ok(_) => panic!("no conflict: it was done"),
    }
}

/// Whether it was refused because the session was cut.
pub(crate) fn is_cut<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::SessionEnded))
}

/// Whether it was refused because there is no such thing.
pub(crate) fn is_unknown<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotFound(_)))
}
