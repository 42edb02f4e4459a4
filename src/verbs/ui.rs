//! `ui`: a port on this machine that leads to the Flink UI of the running generation.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::cluster::forward::{self, LocalForward};
use crate::context::Context;
use crate::failure::{Cause, Failure, InPhase, NextStep};
use crate::live::Situation;

/// Opens the port-forward; it lives as long as the value that comes back.
pub async fn open(context: &Context, name: &str, port: u16) -> Result<LocalForward, Failure> {
    crate::release::check_name(name)?;
    let situation = Situation::read(context, name).await.refused()?;
    situation.current(context, name)?;
    let descriptor = situation.descriptor.as_ref().filter(|d| situation.generations.contains(&d.generation));
    let Some(descriptor) = descriptor else {
        return Err(Failure::refused(Cause::Precondition(format!("release {name:?} runs no Flink cluster")))
            .next([NextStep::flink(["status", name])]));
    };
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let (selector, rest) = (&descriptor.job_manager_selector, descriptor.service.port);
    forward::to_selector(&context.cluster, &context.namespace, selector, rest, address).await.map_err(
        |error| {
            Failure::refused(error).next([NextStep::flink(["ui", name, "--port", "0"]).remark("a free port")])
        },
    )
}
