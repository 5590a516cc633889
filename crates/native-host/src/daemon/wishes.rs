//! What the engine wants of the daemon: events told to those whom they are for, items kept and offered, paired devices and
//! peers shared among the endpoints of the device. And what there is to show, for those who watch.

use tabferry_engine::Input;
use tabferry_protocol::host::{Command, Event, ProposalView, Snapshot};
use tabferry_protocol::id::PeerId;
use tabferry_protocol::limits::NATIVE_FRAME_BYTES;
use tabferry_protocol::native::FromDaemon;
use tabferry_protocol::paired::PairedDevice;
use tokio::time::Instant;
use tracing::warn;

use super::clients::ClientId;
use super::device::{Device, Wish};
use super::{ClientState, Daemon};

impl Daemon {
    /// Does what the engine wants, until it wants nothing more.
    pub(super) fn fulfil_wishes(&mut self) {
        while let Some(wishes) = self.device.as_mut().map(Device::take_wishes)
            && !wishes.is_empty()
        {
            for wish in wishes {
                match wish {
                    Wish::Tell(Event::ItemReceived { item, unasked }) => {
                        // It waits here, not in the engine, which forgets it at its end.
                        self.command(Command::DismissItem { item: item.id });
                        self.items.add(item, unasked);
                        self.offer_items();
                        self.keep_items();
                    }
                    Wish::Tell(event) => self.tell_event(event),
                    Wish::OwnPeer(peer) => {
                        self.own_peer = peer;
                        self.tell_own_peers();
                    }
                    Wish::KeepPaired(paired) => self.keep_paired(paired),
                }
            }
        }
    }

    fn tell_event(&mut self, event: Event) {
        if let Event::ProposalArrived { proposal } = &event {
            self.ask_if_alone(proposal);
        }
        self.tell_all(&FromDaemon::Event(event), |client| client.watches);
    }

    /// Asks at the desktop if nobody is there who would answer otherwise.
    pub(super) fn ask_if_alone(&self, proposal: &ProposalView) {
        if !self.clients.values().any(|client| client.receives) {
            self.notifications.ask(proposal);
        }
    }

    fn keep_paired(&mut self, paired: Vec<PairedDevice>) {
        if paired != self.paired {
            if let Err(error) = self.state.keep_paired(&paired) {
                warn!(%error, "paired devices can't be kept");
            }
            self.paired = paired;
        }
        self.tell_paired();
    }

    /// Tells the paired devices to all extensions that have others.
    pub(super) fn tell_paired(&mut self) {
        let behind: Vec<ClientId> = self
            .members()
            .filter(|(_, client)| client.paired.as_ref() != Some(&self.paired))
            .map(|(id, _)| id)
            .collect();
        let paired = self.paired.clone();
        for id in behind {
            if let Some(client) = self.clients.get_mut(&id) {
                client.paired = Some(paired.clone());
            }
            let message = FromDaemon::Paired {
                paired: paired.clone(),
            };
            self.connections.tell(id, &message);
        }
    }

    /// Tells every endpoint of the device who the others are to the signaling server.
    pub(super) fn tell_own_peers(&mut self) {
        let of_browsers: Vec<(ClientId, PeerId)> = self
            .members()
            .filter_map(|(id, client)| Some((id, client.peer?)))
            .collect();
        let members: Vec<ClientId> = self.members().map(|(id, _)| id).collect();
        for id in members {
            let others = of_browsers.iter().filter(|(other, _)| *other != id);
            let peers: Vec<PeerId> = self
                .own_peer
                .into_iter()
                .chain(others.map(|(_, peer)| *peer))
                .collect();
            let Some(client) = self.clients.get_mut(&id) else {
                continue;
            };
            if client.own_peers != peers {
                client.own_peers.clone_from(&peers);
                self.connections.tell(id, &FromDaemon::OwnPeers { peers });
            }
        }
        let peers = of_browsers.into_iter().map(|(_, peer)| peer).collect();
        self.input(Input::OwnPeers(peers));
    }

    /// The extensions that share the device.
    fn members(&self) -> impl Iterator<Item = (ClientId, &ClientState)> {
        self.clients
            .iter()
            .filter(|(_, client)| client.member && client.is_browser())
            .map(|(id, client)| (*id, client))
    }

    /// Offers what waits to whoever takes it: a person at a terminal who asked for it, else a browser.
    pub(super) fn offer_items(&mut self) {
        let takers = self.clients.iter().filter(|(_, client)| client.receives);
        let taker = takers
            .min_by_key(|(id, client)| (client.is_browser(), **id))
            .map(|(id, _)| *id);
        for offered in self.items.offer(taker) {
            let message = FromDaemon::Item {
                item: offered.item,
                unasked: offered.unasked,
            };
            if let Some(taker) = taker {
                self.connections.tell(taker, &message);
            }
        }
    }

    /// Shows all who watch what there is.
    pub(super) fn publish(&mut self) {
        let watching: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|(_, client)| client.watches)
            .map(|(id, _)| *id)
            .collect();
        for client in &watching {
            self.show(*client);
        }
        let moves = !watching.is_empty() && self.is_transferring();
        self.publisher.published(Instant::now(), moves);
    }

    /// Shows one client what there is.
    pub(super) fn show(&mut self, client: ClientId) {
        let (Some(device), Some(state)) = (&self.device, self.clients.get(&client)) else {
            return;
        };
        let trust = (!state.is_browser()).then(|| device.trust());
        let snapshot = fitting(device.snapshot());
        self.connections
            .tell(client, &FromDaemon::Shown { snapshot, trust });
    }
}

/// Without items, and without the oldest transfers if a frame has no room for all: hostile names can be long.
fn fitting(mut snapshot: Snapshot) -> Snapshot {
    snapshot.items = Vec::new();
    while snapshot.transfers.len() + snapshot.incoming.len() > 64
        && serde_json::to_vec(&snapshot).is_ok_and(|json| json.len() > NATIVE_FRAME_BYTES / 2)
    {
        let half = |count: usize| count.div_ceil(2);
        snapshot.transfers.truncate(half(snapshot.transfers.len()));
        snapshot.incoming.truncate(half(snapshot.incoming.len()));
    }
    snapshot
}
