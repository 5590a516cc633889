//! What the attacker remembers of earlier connections, to say it again. It knows no attack.

use std::collections::BTreeMap;

use tabferry_protocol::id::{ConnectionId, PeerId};
use tabferry_protocol::signaling::{Signal, SignalBody};

/// Connections of one peer to another one that are remembered: the first ones, which have come about honestly.
const CONNECTIONS: usize = 4;

/// Signals of one peer to another one for a connection.
type Signals = (ConnectionId, Vec<SignalBody>);

/// Signals by who said them to whom, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Memory(BTreeMap<(PeerId, PeerId), Vec<Signals>>);

impl Memory {
    pub(crate) fn note(&mut self, from: PeerId, to: PeerId, signal: &Signal) {
        let connections = self.0.entry((from, to)).or_default();
        let known = connections
            .iter()
            .position(|(id, _)| *id == signal.connection);
        match known {
            Some(index) => connections[index].1.push(signal.body.clone()),
            None if connections.len() < CONNECTIONS => {
                connections.push((signal.connection, vec![signal.body.clone()]));
            }
            None => {}
        }
    }

    /// A signal of the same kind that was said between the same peers for another connection.
    pub(crate) fn other(&self, from: PeerId, to: PeerId, signal: &Signal) -> Option<Signal> {
        let connections = self.0.get(&(from, to))?;
        let same_kind = |body: &&SignalBody| {
            core::mem::discriminant(*body) == core::mem::discriminant(&signal.body)
        };
        connections
            .iter()
            .filter(|(id, _)| *id != signal.connection)
            .find_map(|(connection, signals)| {
                let body = signals.iter().find(same_kind)?.clone();
                Some(Signal {
                    connection: *connection,
                    body,
                })
            })
    }
}
