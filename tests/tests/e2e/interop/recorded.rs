//! What real peers have sent, played again without them: `tests/fixtures/recorded`.

use super::replayed::replayed;

replayed! { "recorded":
    baresip_subscribes,
    baresip_writes_and_is_written_to,
    kamailio_as_s_cscf,
    kamailio_asks_for_health,
    sipp_sets_up_a_session,
    sipp_tells_of_a_registration,
    sipp_writes,
}
