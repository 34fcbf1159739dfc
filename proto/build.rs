//! Compiles the contract without a `protoc` on the machine and keeps its descriptor for reflection.

use std::path::PathBuf;

const PROTOS: [&str; 21] = [
    "restante/v1/message.proto",
    "restante/v1/deposit.proto",
    "restante/v1/delivery.proto",
    "restante/v1/large.proto",
    "restante/v1/registration.proto",
    "restante/v1/mailbox.proto",
    "restante/v1/operator.proto",
    "restante/v1/account.proto",
    "restante/v1/settings.proto",
    "restante/v1/subscription.proto",
    "restante/v1/deferred.proto",
    "restante/v1/group.proto",
    "restante/v1/fan_out.proto",
    "restante/v1/job.proto",
    "restante/v1/report.proto",
    "restante/v1/event.proto",
    "restante/v1/console.proto",
    "restante/v1/key.proto",
    "restante/v1/maintenance.proto",
    "restante/v1/process.proto",
    "restante/v1/import.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=restante");
    let descriptors = protox::compile(PROTOS, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("restante.v1.bin");
    std::fs::write(out, prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
