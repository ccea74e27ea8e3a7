use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::attend::attend;
use crate::gateway::Gateway;
use crate::{ConfigErrors, Site};

/// A run that is nearly done may end by itself; after this it is given back.
const DRAIN: Duration = Duration::from_secs(15);
/// Giving back takes one call.
const GIVE_BACK: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A gateway that answers "nothing" at once is stopping; it is not asked again at once.
const CALM: Duration = Duration::from_millis(500);

/// Leases and runs until `stopping` is cancelled; then takes no more work, lets runs end for
/// a while and gives the rest back.
///
/// # Errors
/// [`ConfigErrors`] when the gateway's address cannot be used. An unreachable gateway is no
/// error: it is asked again, with growing pauses.
pub async fn serve(site: Site, stopping: CancellationToken) -> Result<(), ConfigErrors> {
    let gateway = Gateway::new(&site)?;
    let slots = Arc::new(Semaphore::new(site.config.slots as usize));
    let site = Arc::new(site);
    let give_up = CancellationToken::new();
    let mut runs = JoinSet::new();
    while let Some(slot) = stopping.run_until_cancelled(Arc::clone(&slots).acquire_owned()).await {
        let lease = stopping.run_until_cancelled(next(gateway.clone())).await;
        let Some(lease) = lease else {
            break;
        };
        let run = attend(Arc::clone(&site), gateway.clone(), lease, give_up.clone());
        let span = tracing::info_span!("run", run_id = tracing::field::Empty);
        runs.spawn(async move {
            run.instrument(span).await;
            drop(slot);
        });
        while runs.try_join_next().is_some() {}
    }
    tracing::info!(runs = runs.len(), "stopping");
    drain(runs, &give_up).await;
    Ok(())
}

/// The next lease, however long it takes.
async fn next(mut gateway: Gateway) -> sekisho_proto::v1::Lease {
    let mut pause = FIRST_PAUSE;
    loop {
        let asked = Instant::now();
        match gateway.lease().await {
            Ok(Some(lease)) => return lease,
            Ok(None) => {
                pause = FIRST_PAUSE;
                tokio::time::sleep_until(asked + CALM).await;
            }
            Err(status) => {
                tracing::warn!(code = ?status.code(), "no lease: {}", status.message());
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn drain(mut runs: JoinSet<()>, give_up: &CancellationToken) {
    let all_done = async { while runs.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, all_done).await.is_ok() {
        return;
    }
    give_up.cancel();
    let all_done = async { while runs.join_next().await.is_some() {} };
    if tokio::time::timeout(GIVE_BACK, all_done).await.is_err() {
        tracing::warn!("a run could not be given back; its lease will run out");
    }
}
