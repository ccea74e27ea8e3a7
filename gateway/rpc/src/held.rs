//! Streams that last: they end when their caller's session does (AU-2), or when the
//! gateway stops.

use std::{pin::Pin, time::Duration};

use futures::{Stream, StreamExt, stream};
use sekisho_app::AppError;
use sekisho_domain::RequestId;
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{Gate, Peer, status::status};

/// A stream of answers.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What keeps a stream open.
pub(crate) struct Hold<G> {
    pub(crate) gate: G,
    pub(crate) peer: Peer,
    pub(crate) request_id: RequestId,
    pub(crate) every: Duration,
    pub(crate) stopping: CancellationToken,
}

/// Passes `answers` on while the caller would be admitted.
pub(crate) fn while_admitted<G: Gate, T: Send + 'static>(
    hold: Hold<G>,
    answers: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> Answers<T> {
    let mut ticks = interval_at(tokio::time::Instant::now() + hold.every, hold.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let held = Held { hold, ticks, answers: Box::pin(answers) };
    stream::unfold(Some(held), |held| async move {
        let mut held = held?;
        match held.next().await {
            None => None,
            Some(Ok(answer)) => Some((Ok(answer), Some(held))),
            Some(Err(status)) => Some((Err(status), None)),
        }
    })
    .boxed()
}

struct Held<G, T> {
    hold: Hold<G>,
    ticks: Interval,
    answers: Answers<T>,
}

impl<G: Gate, T> Held<G, T> {
    async fn next(&mut self) -> Option<Result<T, Status>> {
        loop {
            tokio::select! {
                biased;
                () = self.hold.stopping.cancelled() => {
                    let cause = "the gateway is stopping".to_owned();
                    return Some(Err(status(AppError::Unavailable(cause))));
                }
                _ = self.ticks.tick() => {
                    let Hold { gate, peer, request_id, .. } = &self.hold;
                    if let Err(error) = gate.admit(peer, *request_id).await {
                        return Some(Err(status(error)));
                    }
                }
                answer = self.answers.next() => return answer,
            }
        }
    }
}
