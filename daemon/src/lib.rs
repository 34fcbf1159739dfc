//! What every Restante process does alike.
