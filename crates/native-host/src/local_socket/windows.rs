//! The socket on Windows: a named pipe that only this user may open, and no other machine. Its name has the user's SID in
//! it, so each user has another one. Compiled, but not yet proven on a machine with Windows.

#![expect(
    unsafe_code,
    reason = "who may open a pipe, and who owns it, is said in pointers there"
)]

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::pin::Pin;
use std::ptr::null_mut;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::windows::named_pipe::{
    ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
};
use windows_sys::Win32::Foundation::{ERROR_PIPE_BUSY, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo,
    SDDL_REVISION_1, SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, OWNER_SECURITY_INFORMATION, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY,
    TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::places::Places;

/// All instances of the pipe are taken for this long at most: the daemon makes the next one as soon as one is connected.
const BUSY_INTERVAL: Duration = Duration::from_millis(10);
/// How often that is waited for.
const BUSY_ATTEMPTS: u32 = 500;

/// A connection between the daemon and a client.
#[derive(Debug)]
pub enum Stream {
    /// The daemon's end.
    Server(NamedPipeServer),
    /// A client's end.
    Client(NamedPipeClient),
}

/// What listens.
#[derive(Debug)]
pub struct Server {
    name: String,
    sid: String,
    next: NamedPipeServer,
}

impl Server {
    pub(super) fn bind(places: &Places) -> io::Result<Self> {
        let sid = current_user()?;
        let name = name(places, &sid);
        let next = instance(&name, &sid, true)?;
        Ok(Self { name, sid, next })
    }

    /// The pipe's own rules send other users and other machines away.
    pub(super) async fn accept(&mut self) -> io::Result<Stream> {
        self.next.connect().await?;
        let next = instance(&self.name, &self.sid, false)?;
        Ok(Stream::Server(std::mem::replace(&mut self.next, next)))
    }
}

/// Connects to this user's daemon. Errors with `NotFound` if there is none, and with `PermissionDenied` if whoever listens
/// there is somebody else.
pub async fn connect(places: &Places) -> io::Result<Stream> {
    let sid = current_user()?;
    let name = name(places, &sid);
    let mut attempts = 0;
    let client = loop {
        match ClientOptions::new().open(&name) {
            Err(error)
                if error.raw_os_error() == i32::try_from(ERROR_PIPE_BUSY).ok()
                    && attempts < BUSY_ATTEMPTS =>
            {
                attempts += 1;
                tokio::time::sleep(BUSY_INTERVAL).await;
            }
            opened => break opened?,
        }
    };
    let owner = owner(&client)?;
    if owner == sid {
        return Ok(Stream::Client(client));
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("the daemon's pipe belongs to {owner}, not to {sid}"),
    ))
}

/// Every directory of state has a daemon of its own.
fn name(places: &Places, sid: &str) -> String {
    let place = blake3::hash(places.runtime.as_os_str().as_encoded_bytes()).to_hex();
    let place = place.get(..16).unwrap_or_default();
    format!(r"\\.\pipe\tabferry-{sid}-{place}")
}

fn instance(name: &str, sid: &str, is_first: bool) -> io::Result<NamedPipeServer> {
    // Owned by the user, open to the user, inherited from nobody.
    let rules = wide(&format!("O:{sid}D:P(A;;GA;;;{sid})"));
    let mut descriptor = Local(null_mut());
    // SAFETY: the text ends with a zero, and the descriptor is written before it is used.
    let converted = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            rules.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor.0,
            null_mut(),
        )
    };
    check(converted)?;
    let mut attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or(u32::MAX),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    // SAFETY: the attributes and the descriptor outlive the call, which copies them.
    unsafe {
        ServerOptions::new()
            .first_pipe_instance(is_first)
            .reject_remote_clients(true)
            .create_with_security_attributes_raw(name, (&raw mut attributes).cast::<c_void>())
    }
}

/// The SID of the user that this process runs as.
fn current_user() -> io::Result<String> {
    let mut token: HANDLE = null_mut();
    // SAFETY: the current process' handle needs no closing; the token is written before it is used.
    check(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: the handle was just opened, and is nobody else's.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    // Of pointers' alignment, and long enough for the longest SID.
    let mut information = [0_usize; 32];
    let mut length = 0;
    // SAFETY: the buffer is as long as is said.
    check(unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            information.as_mut_ptr().cast(),
            u32::try_from(size_of_val(&information)).unwrap_or(0),
            &raw mut length,
        )
    })?;
    // SAFETY: the call has written a TOKEN_USER to the buffer, whose SID lies in it, too.
    let sid = unsafe { (*information.as_ptr().cast::<TOKEN_USER>()).User.Sid };
    text(sid)
}

/// The SID of the user whom a pipe belongs to.
fn owner(pipe: &NamedPipeClient) -> io::Result<String> {
    let mut sid: PSID = null_mut();
    let mut descriptor = Local(null_mut());
    // SAFETY: the handle is open; what is not asked for is null.
    let code = unsafe {
        GetSecurityInfo(
            pipe.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut sid,
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut descriptor.0,
        )
    };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(
            i32::try_from(code).unwrap_or(i32::MAX),
        ));
    }
    text(sid)
}

/// A SID in its text form.
fn text(sid: PSID) -> io::Result<String> {
    let mut text = Local(null_mut());
    // SAFETY: the caller has the SID from the system, and the text is written before it is used.
    check(unsafe { ConvertSidToStringSidW(sid, (&raw mut text.0).cast()) })?;
    let start = text.0.cast::<u16>();
    let mut units = Vec::new();
    // SAFETY: the text ends with a zero.
    unsafe {
        let mut at = start;
        while *at != 0 {
            units.push(*at);
            at = at.add(1);
        }
    }
    String::from_utf16(&units).map_err(io::Error::other)
}

/// Memory that the system has allocated for us.
struct Local(*mut c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: null, or as the system gave it, and freed once.
        unsafe { LocalFree(self.0) };
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = match self.get_mut() {
            Self::Server(pipe) => Pin::new(pipe).poll_read(context, buffer),
            Self::Client(pipe) => Pin::new(pipe).poll_read(context, buffer),
        };
        match polled {
            // The other end has closed: elsewhere that is the end of the stream.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Poll::Ready(Ok(()))
            }
            polled => polled,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Server(pipe) => Pin::new(pipe).poll_write(context, bytes),
            Self::Client(pipe) => Pin::new(pipe).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Server(pipe) => Pin::new(pipe).poll_flush(context),
            Self::Client(pipe) => Pin::new(pipe).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Server(pipe) => Pin::new(pipe).poll_shutdown(context),
            Self::Client(pipe) => Pin::new(pipe).poll_shutdown(context),
        }
    }
}
