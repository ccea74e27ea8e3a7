//! An answer's body that tells when and how it ended. The trailers are held back until
//! the outcome is recorded, so that a client never knows more than the log.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use sekisho_app::AppError;
use tokio::task::JoinHandle;

use super::{
    call::{OpenCall, joined},
    stamp::{self, Outcome},
};
use crate::Gate;

/// Dropped before its end, it drops the [`OpenCall`], which records that.
pub(super) struct RecordedBody<G: Gate> {
    inner: Body,
    call: OpenCall<G>,
    state: State,
}

enum State {
    Flowing,
    Recording(JoinHandle<Result<(), AppError>>, Last),
    Over,
}

/// What is still to be passed on.
enum Last {
    Trailers(Box<HeaderMap>),
    Failure(axum::Error),
    Nothing,
}

impl<G: Gate> RecordedBody<G> {
    pub(super) fn new(inner: Body, call: OpenCall<G>) -> Self {
        Self { inner, call, state: State::Flowing }
    }

    /// The next frame, or the end together with the outcome.
    fn flow(&mut self, context: &mut Context<'_>) -> Poll<Result<Frame<Bytes>, (Outcome, Last)>> {
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
            None => return Poll::Ready(Err((Outcome::unsaid(), Last::Nothing))),
            Some(Err(error)) => {
                return Poll::Ready(Err((Outcome::unsaid(), Last::Failure(error))));
            }
            Some(Ok(frame)) => frame,
        };
        Poll::Ready(frame.into_trailers().map_or_else(Ok, |mut trailers| {
            stamp::stamp(&mut trailers, self.call.request_id());
            let outcome = Outcome::of(&trailers).unwrap_or_else(Outcome::unsaid);
            Err((outcome, Last::Trailers(Box::new(trailers))))
        }))
    }
}

impl<G: Gate> http_body::Body for RecordedBody<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let span = this.call.span().clone();
        let _entered = span.enter();
        if let State::Flowing = this.state {
            match ready!(this.flow(context)) {
                Ok(frame) => return Poll::Ready(Some(Ok(frame))),
                Err((outcome, last)) => {
                    this.state = State::Recording(this.call.spawn_end(outcome), last);
                }
            }
        }
        let State::Recording(recording, _) = &mut this.state else { return Poll::Ready(None) };
        let recorded = joined(ready!(Pin::new(recording).poll(context)));
        let State::Recording(_, last) = std::mem::replace(&mut this.state, State::Over) else {
            return Poll::Ready(None);
        };
        Poll::Ready(match (last, recorded) {
            (Last::Failure(error), _) => Some(Err(error)),
            (_, Err(_)) => Some(Ok(Frame::trailers(stamp::unrecorded(this.call.request_id())))),
            (Last::Trailers(trailers), Ok(())) => Some(Ok(Frame::trailers(*trailers))),
            (Last::Nothing, Ok(())) => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
