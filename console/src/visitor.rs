//! Who comes in, and how his calls get to the service.

use std::fmt;
use std::io;
use std::pin::Pin;

use tokio::io::DuplexStream;
use tonic::Status;

/// Makes a connection to the operators' gRPC services in somebody's name.
pub type Connect = Box<dyn Fn() -> io::Result<DuplexStream> + Send + Sync>;

/// Somebody who has signed in. What he may do is told so that pages offer nothing else; the services behind his connections
/// decide.
pub struct Visitor {
    /// What he is called in timelines.
    pub name: String,
    /// Whether he has the role of operators.
    pub may_change: bool,
    /// Whether he has the role of body readers.
    pub may_read_contents: bool,
    /// Connections in his name.
    pub connect: Connect,
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Who comes in by a token, or none; or why nobody can come in.
pub type SigningIn<'a> = Pin<Box<dyn Future<Output = Result<Option<Visitor>, Status>> + Send + 'a>>;

/// Knows the tokens by which people sign in.
pub trait Entrance: Send + Sync + 'static {
    /// Who a token stands for, which is used up by that; none if it is not good.
    fn sign_in<'a>(&'a self, token: &'a str) -> SigningIn<'a>;

    /// Takes note that a visitor of this name has signed out.
    fn sign_out<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}
