//! The groups that a person wants this device to be in, as they are kept: creates, adds and leaves them. The engine hears
//! of it from the service worker.

use tabferry_protocol::limits;
use tabferry_protocol::secret_code::GroupCode;

use crate::chrome::storage::Area;
use crate::model::group::NotAdded;
use crate::random;
use crate::settings::{GROUPS, groups_of, groups_text};

/// Adds a new group, which nobody else is in yet.
pub async fn create() -> Result<GroupCode, NotAdded> {
    let bytes = random::bytes().map_err(|_| NotAdded::NotKept)?;
    add(GroupCode::from_random(bytes)).await
}

/// Adds the group whose code a person typed.
pub async fn join(typed: &str) -> Result<GroupCode, NotAdded> {
    add(GroupCode::from_typed(typed).map_err(NotAdded::Mistyped)?).await
}

/// Leaves a group. `None` if the browser did not keep that.
pub async fn leave(code: GroupCode) -> Option<()> {
    let mut groups = kept().await?;
    groups.retain(|group| *group != code);
    keep(&groups).await
}

async fn add(code: GroupCode) -> Result<GroupCode, NotAdded> {
    let mut groups = kept().await.ok_or(NotAdded::NotKept)?;
    if groups.contains(&code) {
        return Err(NotAdded::Known);
    }
    if groups.len() >= limits::GROUPS {
        return Err(NotAdded::Full);
    }
    groups.push(code);
    keep(&groups).await.ok_or(NotAdded::NotKept)?;
    Ok(code)
}

async fn kept() -> Option<Vec<GroupCode>> {
    let kept = Area::Local.get(GROUPS).await.ok()?;
    Some(groups_of(&kept.unwrap_or_default()))
}

async fn keep(groups: &[GroupCode]) -> Option<()> {
    Area::Local
        .set(&[(GROUPS, &groups_text(groups))])
        .await
        .ok()
}
