//! What waits to be written to one socket, with a bound: whoever adds to it never waits for whoever reads from it. It
//! knows texts and endings; it must not know what they mean or where they come from.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::close::Ending;

/// How much may wait for one socket.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// Messages that wait.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// What to do next with the socket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// Write this.
    Message(Utf8Bytes),
    /// Close it.
    Close(Ending),
}

/// The queue did not take a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The queue of one socket. Any thread may add; one task takes.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: QueueLimits,
    queue: Mutex<Queue>,
    /// Wakes the one task that takes.
    changed: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Utf8Bytes>,
    /// Sum over `messages`.
    bytes: usize,
    /// What comes after them.
    ending: Option<Ending>,
    /// The reader is too slow: `messages` were dropped.
    cut: bool,
}

impl Queue {
    fn push(&mut self, message: Utf8Bytes, limits: QueueLimits) -> Result<(), Full> {
        if self.ending.is_some() {
            return Ok(());
        }
        let bytes = self.bytes + message.len();
        if self.messages.len() >= limits.messages || bytes > limits.bytes {
            return Err(Full);
        }
        self.bytes = bytes;
        self.messages.push_back(message);
        Ok(())
    }
}

impl Outbox {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            queue: Mutex::default(),
            changed: AtomicWaker::new(),
        }
    }

    /// Adds what the server has to say. When it does not fit, the socket is cut: a client that missed something would
    /// be wrong about its room from then on.
    pub(crate) fn push(&self, message: Utf8Bytes) -> Result<(), Full> {
        let pushed = self.lock().push(message, self.limits);
        if pushed.is_err() {
            *self.lock() = Queue {
                ending: Some(Ending::TooSlow),
                cut: true,
                ..Queue::default()
            };
        }
        self.changed.wake();
        pushed
    }

    /// Adds what another peer has to say, for which there is half of the queue. When it does not fit, the sender is
    /// the one to suffer: otherwise peers could have each other cut by saying much.
    pub(crate) fn try_push_signal(&self, message: Utf8Bytes) -> Result<(), Full> {
        let half = QueueLimits {
            messages: self.limits.messages / 2,
            bytes: self.limits.bytes / 2,
        };
        self.lock().push(message, half)?;
        self.changed.wake();
        Ok(())
    }

    /// Closes the socket after what is queued; further messages are ignored.
    pub(crate) fn close(&self, ending: Ending) {
        self.lock().ending.get_or_insert(ending);
        self.changed.wake();
    }

    /// Waits for the next thing to do. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&self) -> Outgoing {
        poll_fn(|cx| self.poll(cx, Self::try_next)).await
    }

    /// Waits until the socket is to be cut, however much is being written.
    pub(crate) async fn until_cut(&self) {
        poll_fn(|cx| self.poll(cx, |outbox| outbox.lock().cut.then_some(()))).await
    }

    /// Asks `find` again whenever something has changed.
    fn poll<T>(&self, cx: &mut Context<'_>, find: impl Fn(&Self) -> Option<T>) -> Poll<T> {
        if let Some(found) = find(self) {
            return Poll::Ready(found);
        }
        self.changed.register(cx.waker());
        // What was added in between did not wake anybody.
        find(self).map_or(Poll::Pending, Poll::Ready)
    }

    fn try_next(&self) -> Option<Outgoing> {
        let mut queue = self.lock();
        match queue.messages.pop_front() {
            Some(message) => {
                queue.bytes -= message.len();
                Some(Outgoing::Message(message))
            }
            None => queue.ending.map(Outgoing::Close),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic of another thread leaves a queue that is whole: every change is a few assignments.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(QueueLimits {
            messages: 3,
            bytes: 10,
        })
    }

    #[test]
    fn messages_come_out_in_order_and_then_the_ending() {
        let outbox = outbox();
        outbox.push("a".into()).unwrap();
        outbox.push("b".into()).unwrap();
        outbox.close(Ending::ShuttingDown);
        outbox.push("too late".into()).unwrap();
        outbox.close(Ending::TooLong);
        let out: Vec<_> = (0..3).map(|_| outbox.next().now_or_never()).collect();
        assert_eq!(
            out,
            [
                Some(Outgoing::Message("a".into())),
                Some(Outgoing::Message("b".into())),
                Some(Outgoing::Close(Ending::ShuttingDown)),
            ]
        );
    }

    #[test]
    fn one_message_or_one_byte_too_many_cuts() {
        for messages in [&["a", "b", "c", "d"][..], &["12345", "12345", "1"][..]] {
            let outbox = outbox();
            let (last, fitting) = messages.split_last().unwrap();
            for message in fitting {
                outbox.push((*message).into()).unwrap();
                assert_eq!(outbox.until_cut().now_or_never(), None);
            }
            assert_eq!(outbox.push((*last).into()), Err(Full));
            assert_eq!(outbox.until_cut().now_or_never(), Some(()));
            assert_eq!(
                outbox.next().now_or_never(),
                Some(Outgoing::Close(Ending::TooSlow))
            );
        }
    }

    #[test]
    fn signals_have_half_of_the_queue_and_cut_nobody() {
        let outbox = Outbox::new(QueueLimits {
            messages: 4,
            bytes: 20,
        });
        outbox.try_push_signal("12345".into()).unwrap();
        assert_eq!(outbox.try_push_signal("123456".into()), Err(Full));
        outbox.try_push_signal("12345".into()).unwrap();
        assert_eq!(outbox.try_push_signal("".into()), Err(Full));
        outbox.push("1234567890".into()).unwrap();
        assert_eq!(outbox.until_cut().now_or_never(), None);
        assert_eq!(
            outbox.next().now_or_never(),
            Some(Outgoing::Message("12345".into()))
        );
    }

    #[test]
    fn taking_makes_room() {
        let outbox = outbox();
        for _ in 0..100 {
            outbox.push("1234567890".into()).unwrap();
            outbox.next().now_or_never().unwrap();
        }
    }

    #[tokio::test]
    async fn a_waiting_task_is_woken() {
        let outbox = std::sync::Arc::new(outbox());
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.next().await }
        });
        tokio::task::yield_now().await;
        outbox.push("a".into()).unwrap();
        assert_eq!(waiting.await.unwrap(), Outgoing::Message("a".into()));
    }
}
