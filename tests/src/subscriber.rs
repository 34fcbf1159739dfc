//! A subscriber to the waiting indication, behind the core.

use crate::sip::{Arrival, RequestText, SipPeer, SipText, Way, fresh};
use crate::uri;

/// One subscription of a user, from the side of his client.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// The user.
    pub user: String,
    /// The Contact of the next SUBSCRIBE, without angle brackets.
    pub contact: String,
    /// Values of Record-Route in the next SUBSCRIBE.
    pub record_routes: Vec<String>,
    call_id: String,
    tag: String,
    /// To and Request-URI within the dialog, once there is one.
    dialog: Option<(String, String)>,
    cseq: u32,
}

impl Subscriber {
    /// A client behind this core, which records its route.
    pub fn behind(core: &SipPeer, user: &str) -> Self {
        Self {
            user: user.to_owned(),
            contact: format!("sip:{user}@203.0.113.9:5060;transport=tcp"),
            record_routes: vec![format!("<sip:{};transport=tcp;lr>", core.tcp())],
            call_id: format!("mwi-{}@203.0.113.9", fresh()),
            tag: fresh(),
            dialog: None,
            cseq: 0,
        }
    }

    /// The next SUBSCRIBE (requirements §2.5), for so many seconds.
    pub fn request(&mut self, expires: u32) -> RequestText {
        self.cseq += 1;
        let account = uri(&self.user);
        let (to, target) = match &self.dialog {
            Some((to, target)) => (to.clone(), target.clone()),
            None => (format!("<{account}>"), account.clone()),
        };
        let routes = self.record_routes.iter();
        let routes: String = routes
            .map(|route| format!("Record-Route: {route}\n"))
            .collect();
        RequestText::new(&format!(
            "SUBSCRIBE {target} SIP/2.0
            Via: {{hop}}
            Via: SIP/2.0/TCP 203.0.113.9:5060;branch=z9hG4bK-b-{}
            Max-Forwards: 68
            Route: <sip:{{edge}};transport=tcp;lr>
            {routes}From: <{account}>;tag={}
            To: {to}
            Call-ID: {}
            CSeq: {} SUBSCRIBE
            Contact: <{}>;+g.oma.sip-im
            Event: message-summary
            Accept: application/simple-message-summary
            Expires: {expires}
            P-Asserted-Identity: <{account}>
            Content-Length: 0",
            fresh(),
            self.tag,
            self.call_id,
            self.cseq,
            self.contact,
        ))
    }

    /// Sends the next SUBSCRIBE, which is accepted, and returns the answer.
    ///
    /// # Panics
    /// When it is not.
    pub async fn subscribe(&mut self, core: &mut SipPeer, way: &Way, expires: u32) -> SipText {
        let request = self.request(expires);
        let response = core.call(way, &request).await.response;
        assert_eq!(response.status(), Some(200), "{response}");
        let contact = response.field("Contact");
        let target = contact.trim_start_matches('<').split('>').next();
        let target = target.unwrap_or_default().to_owned();
        self.dialog = Some((response.field("To").to_owned(), target));
        response
    }

    /// Waits for the next NOTIFY; it is not answered yet.
    pub async fn arrival(&self, core: &mut SipPeer) -> Arrival {
        let what = format!("a NOTIFY for {}", self.user);
        core.expect(&what, |text| self.is_mine(text)).await
    }

    /// Waits for the next NOTIFY and answers it with 200.
    pub async fn notified(&self, core: &mut SipPeer) -> Notified {
        let arrival = self.arrival(core).await;
        core.answer(&arrival, "200 OK", &[], "").await;
        Notified::new(arrival.text)
    }

    /// Answers NOTIFYs until one has this line.
    pub async fn notified_until(&self, core: &mut SipPeer, line: &str) -> Notified {
        loop {
            let notified = self.notified(core).await;
            if notified.body.lines().any(|found| found == line) {
                return notified;
            }
        }
    }

    /// How many NOTIFYs have arrived that nobody has asked for.
    pub fn unseen(&self, core: &mut SipPeer) -> usize {
        core.count(|text| self.is_mine(text))
    }

    fn is_mine(&self, text: &SipText) -> bool {
        text.method() == Some("NOTIFY") && text.find("Call-ID") == Some(&self.call_id)
    }
}

/// A NOTIFY, read.
#[derive(Clone, Debug)]
pub struct Notified {
    /// The request.
    pub text: SipText,
    /// The whole document.
    pub body: String,
    /// The blocks of its messages, as lines.
    pub blocks: Vec<Vec<String>>,
}

impl Notified {
    fn new(text: SipText) -> Self {
        let body = String::from_utf8_lossy(text.body()).into_owned();
        let blocks = body.split("\r\n\r\n").skip(1);
        let blocks = blocks.map(|block| block.lines().map(str::to_owned).collect());
        Self {
            blocks: blocks.collect(),
            text,
            body,
        }
    }

    /// Its CSeq number.
    ///
    /// # Panics
    /// When it has none.
    pub fn cseq(&self) -> u32 {
        let number = self.text.field("CSeq").split(' ').next();
        let number = number.and_then(|number| number.parse().ok());
        number.expect("a CSeq number")
    }

    /// Its Subscription-State.
    pub fn state(&self) -> &str {
        self.text.field("Subscription-State")
    }

    /// The document up to the blocks.
    pub fn counts(&self) -> Vec<&str> {
        let counts = self.body.split("\r\n\r\n").next();
        counts.unwrap_or_default().lines().collect()
    }

    /// Whether this line is among the counts.
    pub fn has(&self, line: &str) -> bool {
        self.counts().contains(&line)
    }
}
