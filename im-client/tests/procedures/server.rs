//! The SIP side of a played server.

use msrp::Path;
use net::sip::{
    Arrival, ClientTransaction, Incoming, ServerTransaction, SipConfig, SipEndpoint, SipListener,
    Target,
};
use sip::{
    Method, Name, Request, RequestBuilder, Response, ResponseBuilder, StatusCode, Transport, Uri,
    token,
};

use crate::in_time;

pub(crate) struct Server {
    pub(crate) endpoint: SipEndpoint,
    incoming: Incoming,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listeners = [Transport::Udp, Transport::Tcp].map(|transport| SipListener {
            transport,
            address: ([127, 0, 0, 1], 0).into(),
        });
        let config = SipConfig {
            listeners: listeners.into(),
            ..SipConfig::default()
        };
        let (endpoint, incoming) = SipEndpoint::bind(config).await.unwrap();
        Self { endpoint, incoming }
    }

    /// Where clients send their requests.
    pub(crate) fn uri(&self) -> Uri {
        let place = self.endpoint.sent_by(Transport::Tcp);
        format!("sip:{place};transport=tcp").parse().unwrap()
    }

    /// The next request, which must be of this method.
    pub(crate) async fn request(&mut self, method: Method) -> ServerTransaction {
        let transaction = self.any_request().await;
        assert_eq!(*transaction.request().method(), method);
        transaction
    }

    pub(crate) async fn any_request(&mut self) -> ServerTransaction {
        match in_time(self.incoming.next()).await {
            Some(Arrival::Request(transaction)) => transaction,
            other => panic!("no request: {other:?}"),
        }
    }

    pub(crate) async fn ack(&mut self) -> Request {
        match in_time(self.incoming.next()).await {
            Some(Arrival::Ack { request, .. }) => request,
            other => panic!("no ACK: {other:?}"),
        }
    }

    /// A 200 to an INVITE with our Contact and a description whose m-line is for this path.
    pub(crate) fn accepted(
        &self,
        invite: &ServerTransaction,
        path: &Path,
        contact_params: &str,
    ) -> ResponseBuilder {
        reply(invite, StatusCode::OK)
            .header(
                Name::Contact,
                format_args!("<{}>{contact_params}", self.uri()),
            )
            .header(Name::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS")
            .body("application/sdp", answer(path, "a=setup:passive\r\n"))
    }

    /// Sends a request to whoever is at `to`, and waits for its final response.
    pub(crate) async fn ask(&self, request: Request, to: &Uri) -> Response {
        let branch = token::branch(&mut rand::rng());
        let target = Target::Uri(to.clone());
        let sent = self.endpoint.request(request, &target, branch).await;
        in_time(final_response(sent.unwrap())).await
    }

    /// An initial request to a client, with these further fields.
    pub(crate) fn initial(&self, method: Method, to: &Uri) -> RequestBuilder {
        let cseq = format!("1 {}", method.as_str());
        let mut rng = rand::rng();
        RequestBuilder::new(method, to)
            .header(Name::MaxForwards, 70)
            .header(Name::From, "<sip:im-store@example.org>;tag=srv1")
            .header(Name::To, "<sip:alice@example.org>")
            .header(Name::CallId, token::call_id(&mut rng, "example.org"))
            .header(Name::CSeq, cseq)
            .header(Name::Contact, format_args!("<{}>", self.uri()))
    }
}

pub(crate) async fn final_response(mut transaction: ClientTransaction) -> Response {
    loop {
        let response = transaction.next().await.expect("an outcome").unwrap();
        if response.status().is_final() {
            return response;
        }
    }
}

pub(crate) fn reply(transaction: &ServerTransaction, status: StatusCode) -> ResponseBuilder {
    ResponseBuilder::reply_to(transaction.request(), status).to_tag("server1")
}

pub(crate) fn answer(path: &Path, more: &str) -> String {
    let port = path.first().effective_port();
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=message {port} TCP/MSRP *\r\na=path:{path}\r\na=accept-types:*\r\na=recvonly\r\n{more}"
    )
}

/// The value of a header, which must be there.
pub(crate) fn field(request: &Request, name: &str) -> String {
    let field = request.headers().first_named(name);
    field
        .unwrap_or_else(|| panic!("no {name} in {request:?}"))
        .value()
        .into_owned()
}
