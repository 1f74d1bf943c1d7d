/** What `sluice doctor` finds about the measurements of a router (STAMP): sockets, port, clock. Changes nothing. */
import { access } from "node:fs/promises";
import type { RouterConfig } from "../config/router.js";
import type { StampConfig } from "../config/stamp.js";
import { controlRequest } from "../control/client.js";
import { type Finding, fault, faultsOr, fine } from "../kernel/preflight/finding.js";
import { probeStamp, type ReflectorProbe, type StampProbe } from "../stamp/endpoint/probe.js";

export interface StampExamination {
  /** Opens the sockets that measuring needs, and closes them. */
  readonly probe: typeof probeStamp;
  /** Whether the router of this configuration runs here: then the port is its own. */
  readonly isRunning: (control: string) => Promise<boolean>;
}

/** Nothing for a router without `stamp:`. Never rejects. */
export async function examineStamp(
  { stamp, control }: Pick<RouterConfig, "stamp" | "control">,
  { probe, isRunning }: StampExamination = { probe: probeStamp, isRunning: answers },
): Promise<readonly Finding[]> {
  if (stamp === undefined) return [];
  const [found, running] = await Promise.all([probe(stamp.addresses, stamp.port, stamp.clock), isRunning(control)]);
  return [examineSockets(found), ...examinePort(stamp, found, running), examineClock(stamp, found)];
}

/** In doubt it runs not: then what has the port is told. */
async function answers(control: string): Promise<boolean> {
  try {
    await access(control);
    await controlRequest(control, "/v1/health");
    return true;
  } catch {
    return false;
  }
}

function examineSockets({ method: { times, classes, lacking = "" } }: StampProbe): Finding {
  const id = "stamp.sockets";
  if (times === "kernel" && classes) return fine(id, "test packets wait in their pools' queues; the kernel times them");
  if (times === "process") {
    return fault({
      id,
      severity: "warning",
      what: "test packets go by plain sockets: without code points, and timed by this process",
      why: "what is measured is the path of best effort, and how late this process was",
      remedy: "npm install koffi",
      detail: lacking,
    });
  }
  return fault({
    id,
    severity: "warning",
    what: "test packets do not wait in the queues of their pools",
    why: "what is measured is not what sessions find there",
    remedy: "give the router CAP_NET_ADMIN: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in its unit",
    detail: lacking,
  });
}

function examinePort({ port }: StampConfig, { reflectors }: StampProbe, running: boolean): readonly Finding[] {
  const id = "stamp.port";
  const faults = reflectors
    .filter(({ works, evidence }) => !works && !(running && isTaken(evidence)))
    .map(({ place, evidence }) =>
      fault({
        id,
        severity: "error",
        what: `test packets cannot be reflected at ${place}`,
        why: "the router does not start",
        remedy: portRemedy(port, evidence),
        detail: evidence,
      }),
    );
  const places = reflectors.map(({ place }) => place).join(" and ");
  return faultsOr(
    faults,
    id,
    `test packets are reflected at ${places}${running ? ", by the router that runs here" : ""}`,
  );
}

const isTaken = (evidence: ReflectorProbe["evidence"]): boolean => evidence.includes("EADDRINUSE");

function portRemedy(port: number, evidence: string): string {
  if (isTaken(evidence))
    return `ss -ulnp sport = ${port}: end what has the port, or choose another stamp.port at both ends`;
  if (evidence.includes("EACCES")) {
    return "give the router CAP_NET_BIND_SERVICE, or choose a stamp.port from 1024 up at both ends";
  }
  if (evidence.includes("EADDRNOTAVAIL")) {
    return "ip -brief address: correct stamp.addresses, or add the address to an interface";
  }
  return "check stamp.addresses and the rights of the router";
}

function examineClock({ clock: kind }: StampConfig, { clock }: StampProbe): Finding {
  const id = "stamp.clock";
  if (clock.synchronised) {
    const how = kind === "auto" ? "the kernel says that this clock follows UTC" : "the configuration says so";
    return fine(id, `latencies are measured one way: ${how}`);
  }
  return fault({
    id,
    severity: "note",
    what:
      kind === "free" ? "this clock counts as free, as configured" : "this clock is not synchronised, says the kernel",
    why: "a latency is half of the round trip: of a path whose ways differ neither is right",
    remedy:
      kind === "free"
        ? "remove stamp.clock once chrony or ntpd keeps the clock"
        : "apt-get install chrony && chronyc waitsync",
  });
}
