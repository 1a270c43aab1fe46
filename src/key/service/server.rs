//! Wraps and opens for others, with the keys of this process.
//!
//! Whatever arrives is answered: with what was asked for, or with why not. Nothing that a client sends ends the server.

use super::wire::{Request, Response};
use super::{Address, DECRYPT, ENCRYPT, LONGEST, wait_for};
use crate::document::Value;
use crate::error::{Error, Kind, Result};
use crate::key::{Keyring, Stanza, registry};
use crate::sys::{self, LocalListener};
use crate::trace;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::transport::server::Connected;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

/// So many requests of one client are worked on at the same time.
const AT_ONCE: usize = 32;
/// The bytes with which every connection begins, and how long a client may take for them: who says nothing does not hold
/// a place for ever.
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const UNTIL_PREFACE: Duration = Duration::from_secs(5);
/// Later a client that is there answers when it is asked whether it is.
const STILL_THERE: Duration = Duration::from_secs(20);
/// The wait before a connection is taken again after the system had none to give.
const WAIT: Duration = Duration::from_millis(100);

/// A key service that listens.
pub struct Server {
    listener: Listener,
    served: Arc<Served>,
}

enum Listener {
    Tcp(std::net::TcpListener),
    Unix(LocalListener),
}

/// What all requests share.
struct Served {
    /// The keyring of the requests at work. The next request gets a renewed one, which sees keys that were added meanwhile.
    keyring: Mutex<Arc<Keyring>>,
    prompt: bool,
}

impl Server {
    /// Listens at `address`. A local socket is for this user alone.
    ///
    /// Each request is answered with the keys that there are at the time; passphrases are asked for once.
    ///
    /// With `prompt` each request is shown on the terminal, and done only when it is confirmed there.
    ///
    /// # Errors
    /// When that is not possible: another process listens there already, say.
    pub fn listen(address: &Address, keyring: Keyring, prompt: bool) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::new(Kind::Generic, format!("the key service cannot listen at {address}")).because(error)
        };
        let listener = match address {
            Address::Tcp(host) => {
                let listener = std::net::TcpListener::bind(host.as_str()).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                Listener::Tcp(listener)
            }
            Address::Unix(path) => Listener::Unix(LocalListener::bind(path).map_err(failed)?),
        };
        let served = Served { keyring: Mutex::new(Arc::new(keyring)), prompt };
        Ok(Server { listener, served: Arc::new(served) })
    }

    /// Where it listens: with the port that the system chose, if it was to choose one.
    #[must_use]
    pub fn address(&self, asked: &Address) -> Address {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr().map_or_else(|_| asked.clone(), Address::from),
            Listener::Unix(_) => asked.clone(),
        }
    }

    /// Whether processes of other machines can ask as well.
    #[must_use]
    pub fn is_open_to_others(&self) -> bool {
        match &self.listener {
            Listener::Tcp(listener) => !listener.local_addr().is_ok_and(|address| address.ip().is_loopback()),
            Listener::Unix(_) => false,
        }
    }

    /// Serves until `end` returns.
    ///
    /// # Errors
    /// When the network fails.
    pub fn serve(self, end: impl FnOnce()) -> Result<()> {
        let Server { listener, served } = self;
        let failed = || Error::new(Kind::Generic, "the key service cannot start");
        let started = wait_for(async {
            match &listener {
                Listener::Tcp(listener) => {
                    let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
                    tokio::spawn(serve_all(served, async move || listener.accept().await.map(|(stream, _)| stream)));
                }
                Listener::Unix(listener) => {
                    let incoming = listener.incoming()?;
                    tokio::spawn(serve_all(served, async move || incoming.accept().await));
                }
            }
            Ok::<_, std::io::Error>(())
        });
        started.map_err(|refusal| refusal.explain(failed()))?.map_err(|error| failed().because(error))?;
        end();
        Ok(())
    }
}

/// Serves all connections that `accept` gives. When there is none to have at the moment, for want of descriptors say,
/// the next one is waited for.
async fn serve_all<C>(served: Arc<Served>, accept: impl AsyncFn() -> std::io::Result<C>)
where
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let (accepted, connections) = mpsc::channel(1);
    let accepting = async {
        loop {
            match accept().await {
                Ok(connection) => {
                    let connection = Begun { connection, read: 0, end: Box::pin(tokio::time::sleep(UNTIL_PREFACE)) };
                    if accepted.send(std::io::Result::Ok(connection)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    trace::note(|| format!("no connection could be taken: {error}"));
                    tokio::time::sleep(WAIT).await;
                }
            }
        }
    };
    let builder = tonic::transport::Server::builder();
    let serving = builder
        .concurrency_limit_per_connection(AT_ONCE)
        .max_concurrent_streams(AT_ONCE as u32)
        .http2_keepalive_interval(Some(STILL_THERE))
        .serve_with_incoming(Methods(served), ReceiverStream::new(connections));
    let _ = tokio::join!(accepting, serving);
}

/// A connection whose client must begin in time.
struct Begun<C> {
    connection: C,
    /// So much of the preface was read.
    read: usize,
    end: Pin<Box<tokio::time::Sleep>>,
}

impl<C: AsyncRead + Unpin> AsyncRead for Begun<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.connection).poll_read(context, buffer);
        if self.read < PREFACE {
            self.read += buffer.filled().len() - before;
            if polled.is_pending() && self.end.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
            }
        }
        polled
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Begun<C> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}

impl<C: Connected> Connected for Begun<C> {
    type ConnectInfo = C::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.connection.connect_info()
    }
}

/// The methods of the service.
#[derive(Clone)]
struct Methods(Arc<Served>);

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl tower_service::Service<http::Request<Body>> for Methods {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Later<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let verb = match request.uri().path() {
            ENCRYPT => Verb::Encrypt,
            DECRYPT => Verb::Decrypt,
            _ => return Box::pin(async { Ok(Status::unimplemented("there is no such method").into_http()) }),
        };
        let method = Method { served: Arc::clone(&self.0), verb };
        let codec = ProstCodec::<Response, Request>::default();
        Box::pin(async move {
            let mut grpc = Grpc::new(codec).max_decoding_message_size(LONGEST);
            Ok(grpc.unary(method, request).await)
        })
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Encrypt,
    Decrypt,
}

struct Method {
    served: Arc<Served>,
    verb: Verb,
}

impl UnaryService<Request> for Method {
    type Response = Response;
    type Future = Later<Result<tonic::Response<Response>, Status>>;

    fn call(&mut self, request: tonic::Request<Request>) -> Self::Future {
        let (served, verb) = (Arc::clone(&self.served), self.verb);
        // Keys block: they ask programs, services and people.
        let work = tokio::task::spawn_blocking(move || served.answer(verb, request.into_inner()));
        Box::pin(async {
            let answer = work.await.map_err(|_| Status::internal("the request could not be served"))?;
            answer.map(tonic::Response::new)
        })
    }
}

impl Served {
    fn answer(&self, verb: Verb, mut request: Request) -> Result<Response, Status> {
        let Some(key) = request.key.take() else { return Err(Status::not_found("no key is named")) };
        let Some(mut stanza) = key.into_stanza() else { return Err(Status::not_found("that is no kind of key")) };
        let title = stanza.title();
        let what = match verb {
            Verb::Encrypt => "wrap a data key for",
            Verb::Decrypt => "open a data key with",
        };
        let answer = self.confirm(what, &title).and_then(|()| match verb {
            Verb::Encrypt => self.wrap(&mut stanza, &request.content),
            Verb::Decrypt => self.unwrap(stanza, std::mem::take(&mut request.content)),
        });
        trace::note(|| match &answer {
            Ok(_) => format!("was asked to {what} {title}, and did"),
            Err(status) => format!("was asked to {what} {title}, and did not: {}", status.message()),
        });
        answer.map(|content| Response { content })
    }

    fn keyring(&self) -> MutexGuard<'_, Arc<Keyring>> {
        self.keyring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn confirm(&self, what: &str, title: &str) -> Result<(), Status> {
        if !self.prompt {
            return Ok(());
        }
        loop {
            let question = format!("Somebody asks to {what} {title}. Do it? (y/n) ");
            let answer = sys::ask_line(&question).map_err(|why| Status::permission_denied(why.to_string()))?;
            match answer.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(()),
                "n" | "no" => return Err(Status::permission_denied("the request was declined")),
                _ => {}
            }
        }
    }

    fn wrap(&self, stanza: &mut Stanza, part: &[u8]) -> Result<Vec<u8>, Status> {
        let backend = registry::backend(stanza.list())
            .ok_or_else(|| Status::unimplemented(format!("this key service has no {} keys", stanza.list())))?;
        backend.wrap(stanza, part).map_err(|error| {
            let said: Vec<&str> =
                std::iter::once(error.message()).chain(error.notes().iter().map(String::as_str)).collect();
            Status::unknown(said.join(": "))
        })?;
        Ok(stanza.text(Stanza::ENC).as_bytes().to_vec())
    }

    fn unwrap(&self, mut stanza: Stanza, wrapped: Vec<u8>) -> Result<Vec<u8>, Status> {
        let wrapped =
            String::from_utf8(wrapped).map_err(|_| Status::invalid_argument("that is no wrapped data key"))?;
        stanza.set(Stanza::ENC, Value::Str(wrapped));
        let keyring = Arc::clone(&self.keyring());
        let opened = keyring.unwrap_groups(&[vec![stanza]], 1);
        let mut last = self.keyring();
        if Arc::ptr_eq(&last, &keyring) {
            *last = Arc::new(keyring.renewed());
        }
        drop(last);
        match opened.shares.into_iter().next() {
            Some(share) => Ok(share.part.expose().to_vec()),
            None => {
                let said = opened.refused.into_iter().flat_map(|(_, search)| {
                    if search.failures.is_empty() { search.looked_at } else { search.failures }
                });
                Err(Status::new(Code::Unknown, said.collect::<Vec<_>>().join("; ")))
            }
        }
    }
}
