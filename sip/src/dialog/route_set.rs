//! The proxies that stay in the path of a dialog (RFC 3261 §12.1, §12.2.1.1).

use crate::{NameAddr, Uri};

/// Route set, fixed for the life of the dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RouteSet(Vec<NameAddr>);

impl RouteSet {
    /// As the UAS takes it from Record-Route.
    pub(super) fn in_order(record_routes: Vec<NameAddr>) -> Self {
        Self(record_routes)
    }

    /// As the UAC takes it from Record-Route.
    pub(super) fn reversed(mut record_routes: Vec<NameAddr>) -> Self {
        record_routes.reverse();
        Self(record_routes)
    }

    pub(super) fn first(&self) -> Option<&Uri> {
        self.0.first().map(|route| &route.uri)
    }

    /// The routes as text.
    pub(super) fn values(&self) -> Vec<String> {
        self.0.iter().map(NameAddr::to_string).collect()
    }

    /// Request-URI and Route values of a request to `target` (RFC 3261 §12.2.1.1). A strict router, one without `lr`,
    /// takes the place of the target, which goes to the end of the list.
    pub(super) fn apply(&self, target: &Uri) -> (Uri, Vec<NameAddr>) {
        match self.0.split_first() {
            Some((strict, rest)) if !is_loose(&strict.uri) => {
                let end = NameAddr::new(target.clone());
                (
                    as_request_uri(&strict.uri),
                    rest.iter().cloned().chain([end]).collect(),
                )
            }
            _ => (as_request_uri(target), self.0.clone()),
        }
    }
}

fn is_loose(uri: &Uri) -> bool {
    match uri {
        Uri::Sip(uri) => uri.is_loose_router(),
        _ => false,
    }
}

/// Without what a Request-URI must not have: method parameter and headers (RFC 3261 §19.1.1).
fn as_request_uri(uri: &Uri) -> Uri {
    let mut uri = uri.clone();
    if let Uri::Sip(sip) = &mut uri {
        sip.params.remove("method");
        sip.headers = None;
    }
    uri
}
