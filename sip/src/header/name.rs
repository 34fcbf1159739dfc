//! Names of header fields.

use std::fmt;

/// How often a header may stand in a message, and whether commas separate its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// At most one field with one value.
    Single,
    /// Any number of fields, each with values separated by commas (RFC 3261 §7.3.1).
    List,
    /// Any number of fields, each with one value: commas belong to the value.
    Repeated,
}

/// Writes the enum and its tables from one list.
macro_rules! names {
    ($($name:ident $shape:ident $text:literal $source:literal $($compact:literal)?;)*) => {
        /// A header this implementation has a name for. Any other is reached by its text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = concat!("`", $text, "` (", $source, ").")] $name,)*
        }

        impl Name {
            /// Every known name, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The long form as its standard writes it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The one-letter form, if the header has one (RFC 3261 §7.3.3).
            pub const fn compact(self) -> Option<char> {
                match self { $($(Self::$name => Some($compact),)?)* _ => None }
            }

            const fn shape(self) -> Shape {
                match self { $(Self::$name => Shape::$shape,)* }
            }

            fn from_compact(letter: u8) -> Option<Self> {
                match char::from(letter.to_ascii_lowercase()) {
                    $($($compact => Some(Self::$name),)?)*
                    _ => None,
                }
            }
        }
    };
}

names! {
    Accept List "Accept" "RFC 3261 §20.1";
    AcceptContact List "Accept-Contact" "RFC 3841 §9.2" 'a';
    AcceptEncoding List "Accept-Encoding" "RFC 3261 §20.2";
    AcceptLanguage List "Accept-Language" "RFC 3261 §20.3";
    AlertInfo List "Alert-Info" "RFC 3261 §20.4";
    Allow List "Allow" "RFC 3261 §20.5";
    AllowEvents List "Allow-Events" "RFC 6665 §8.2.2" 'u';
    AuthenticationInfo Repeated "Authentication-Info" "RFC 3261 §20.6";
    Authorization Repeated "Authorization" "RFC 3261 §20.7";
    CallId Single "Call-ID" "RFC 3261 §20.8" 'i';
    CallInfo List "Call-Info" "RFC 3261 §20.9";
    Contact List "Contact" "RFC 3261 §20.10" 'm';
    ContentDisposition Single "Content-Disposition" "RFC 3261 §20.11";
    ContentEncoding List "Content-Encoding" "RFC 3261 §20.12" 'e';
    ContentId Single "Content-ID" "RFC 8262 §3";
    ContentLanguage List "Content-Language" "RFC 3261 §20.13";
    ContentLength Single "Content-Length" "RFC 3261 §20.14" 'l';
    ContentTransferEncoding Single "Content-Transfer-Encoding" "RFC 2045 §6.1, in MIME parts";
    ContentType Single "Content-Type" "RFC 3261 §20.15" 'c';
    CSeq Single "CSeq" "RFC 3261 §20.16";
    Date Single "Date" "RFC 3261 §20.17";
    ErrorInfo List "Error-Info" "RFC 3261 §20.18";
    Event Single "Event" "RFC 6665 §8.2.1" 'o';
    Expires Single "Expires" "RFC 3261 §20.19";
    FlowTimer Single "Flow-Timer" "RFC 5626 §4.4";
    From Single "From" "RFC 3261 §20.20" 'f';
    HistoryInfo List "History-Info" "RFC 7044 §5";
    InReplyTo List "In-Reply-To" "RFC 3261 §20.21";
    MaxForwards Single "Max-Forwards" "RFC 3261 §20.22";
    MimeVersion Single "MIME-Version" "RFC 3261 §20.24";
    MinExpires Single "Min-Expires" "RFC 3261 §20.23";
    MinSe Single "Min-SE" "RFC 4028 §5";
    Organization Single "Organization" "RFC 3261 §20.25";
    PAccessNetworkInfo List "P-Access-Network-Info" "RFC 7315 §4.4";
    PAssertedIdentity List "P-Asserted-Identity" "RFC 3325 §9.1";
    PAssociatedUri List "P-Associated-URI" "RFC 7315 §4.1";
    Path List "Path" "RFC 3327 §4";
    PCalledPartyId Single "P-Called-Party-ID" "RFC 7315 §4.2";
    PChargingVector Single "P-Charging-Vector" "RFC 7315 §4.6";
    PPreferredIdentity List "P-Preferred-Identity" "RFC 3325 §9.2";
    Priority Single "Priority" "RFC 3261 §20.26";
    Privacy Repeated "Privacy" "RFC 3323 §4.2";
    ProxyAuthenticate Repeated "Proxy-Authenticate" "RFC 3261 §20.27";
    ProxyAuthorization Repeated "Proxy-Authorization" "RFC 3261 §20.28";
    ProxyRequire List "Proxy-Require" "RFC 3261 §20.29";
    PServedUser Single "P-Served-User" "RFC 5502 §5";
    RAck Single "RAck" "RFC 3262 §7.2";
    Reason List "Reason" "RFC 3326 §2";
    RecordRoute List "Record-Route" "RFC 3261 §20.30";
    ReferredBy Single "Referred-By" "RFC 3892 §3" 'b';
    ReferTo Single "Refer-To" "RFC 3515 §2.1" 'r';
    RejectContact List "Reject-Contact" "RFC 3841 §9.2" 'j';
    Replaces Single "Replaces" "RFC 3891 §6.1";
    ReplyTo Single "Reply-To" "RFC 3261 §20.31";
    RequestDisposition List "Request-Disposition" "RFC 3841 §9.1" 'd';
    Require List "Require" "RFC 3261 §20.32";
    RetryAfter Single "Retry-After" "RFC 3261 §20.33";
    Route List "Route" "RFC 3261 §20.34";
    RSeq Single "RSeq" "RFC 3262 §7.1";
    Server Single "Server" "RFC 3261 §20.35";
    ServiceRoute List "Service-Route" "RFC 3608 §5";
    SessionExpires Single "Session-Expires" "RFC 4028 §4" 'x';
    SipEtag Single "SIP-ETag" "RFC 3903 §11.3.1";
    SipIfMatch Single "SIP-If-Match" "RFC 3903 §11.3.2";
    Subject Single "Subject" "RFC 3261 §20.36" 's';
    SubscriptionState Single "Subscription-State" "RFC 6665 §8.2.3";
    Supported List "Supported" "RFC 3261 §20.37" 'k';
    TargetDialog Single "Target-Dialog" "RFC 4538 §7";
    Timestamp Single "Timestamp" "RFC 3261 §20.38";
    To Single "To" "RFC 3261 §20.39" 't';
    Unsupported List "Unsupported" "RFC 3261 §20.40";
    UserAgent Single "User-Agent" "RFC 3261 §20.41";
    Via List "Via" "RFC 3261 §20.42" 'v';
    Warning List "Warning" "RFC 3261 §20.43";
    WwwAuthenticate Repeated "WWW-Authenticate" "RFC 3261 §20.44";
}

/// Longest known name plus one.
const LENGTHS: usize = 26;
/// Most names of one length.
const PER_LENGTH: usize = 12;

/// Names by their length, so that looking one up compares few texts.
const BY_LENGTH: [[Option<Name>; PER_LENGTH]; LENGTHS] = {
    let mut table = [[None; PER_LENGTH]; LENGTHS];
    let mut index = 0;
    while index < Name::ALL.len() {
        let name = Name::ALL[index];
        let row = &mut table[name.as_str().len()];
        let mut slot = 0;
        while row[slot].is_some() {
            slot += 1;
        }
        row[slot] = Some(name);
        index += 1;
    }
    table
};

impl Name {
    /// Recognises the long or compact form in any letter case.
    pub fn from_bytes(text: &[u8]) -> Option<Self> {
        if let [letter] = text {
            return Self::from_compact(*letter);
        }
        let candidates = BY_LENGTH.get(text.len())?;
        candidates
            .iter()
            .map_while(|name| *name)
            .find(|name| name.as_str().as_bytes().eq_ignore_ascii_case(text))
    }

    /// Whether a second field of this name makes the message malformed (ERR-01).
    pub(crate) fn is_single(self) -> bool {
        self.shape() == Shape::Single
    }

    /// Whether commas separate values of this header.
    pub(crate) fn is_list(self) -> bool {
        self.shape() == Shape::List
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
