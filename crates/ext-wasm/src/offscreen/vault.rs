//! What outlives the document: this device's key. It is kept in the extension's own IndexedDB, which pages of the web and
//! other extensions can't read. The key is drawn here, once; what it is for is not known here.

use js_sys::{Function, Promise, Uint8Array};
use tabferry_protocol::identity::{DeviceKey, KEY_BYTES};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbObjectStore, IdbRequest, IdbTransactionMode, window};

use super::random;

/// Name of the database, and its version.
const DATABASE: (&str, u32) = ("tabferry", 1);

/// The one object store: values by name.
const STORE: &str = "kept";

/// Name of the device's key: the seed's bytes.
const DEVICE_KEY: &str = "device-key";

/// The database.
#[derive(Debug)]
pub(crate) struct Vault(IdbDatabase);

impl Vault {
    /// Opens the database; makes it at first run.
    pub(crate) async fn open() -> Result<Self, JsValue> {
        let (name, version) = DATABASE;
        let factory = window()
            .ok_or(JsValue::UNDEFINED)?
            .indexed_db()?
            .ok_or(JsValue::UNDEFINED)?;
        let request = factory.open_with_u32(name, version)?;
        let upgrade = Closure::once({
            let request = request.clone();
            move || -> Result<(), JsValue> {
                let database: IdbDatabase = request.result()?.unchecked_into();
                database.create_object_store(STORE)?;
                Ok(())
            }
        });
        request.set_onupgradeneeded(Some(upgrade.as_ref().unchecked_ref()));
        Ok(Self(settled(&request).await?.unchecked_into()))
    }

    /// This device's key, drawn if there is none.
    pub(crate) async fn device_key(&self) -> Result<DeviceKey, JsValue> {
        let store = self.store()?;
        let kept = settled(&store.get(&DEVICE_KEY.into())?).await?;
        if let Some(seed) = kept
            .dyn_ref::<Uint8Array>()
            .and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes.to_vec()).ok())
        {
            return Ok(DeviceKey::from_seed(&seed));
        }
        let key = DeviceKey::from_seed(&random::bytes()?);
        // The transaction may have ended while the first request was awaited.
        let seed = Uint8Array::from(&key.expose_seed()[..]);
        settled(&self.store()?.put_with_key(&seed, &DEVICE_KEY.into())?).await?;
        Ok(key)
    }

    fn store(&self) -> Result<IdbObjectStore, JsValue> {
        self.0
            .transaction_with_str_and_mode(STORE, IdbTransactionMode::Readwrite)?
            .object_store(STORE)
    }
}

/// Waits for a request and gives its result.
async fn settled(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |resolve: Function, reject: Function| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await?;
    request.result()
}
