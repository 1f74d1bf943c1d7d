/** Whether measurements would work on this machine, by trying: for `sluice doctor`. */
import { SluiceError } from "../../model/errors.js";
import { formatEndpoint, type IpAddress } from "../../model/ip.js";
import type { ErrorEstimate } from "../codec/error-estimate.js";
import { type ClockKind, ClockState } from "./clock-state.js";
import { openSockets } from "./open-sockets.js";
import type { TestMethod } from "./test-socket.js";

/** What was found of one address. `evidence` is empty where the port is free, else what the system said. */
export interface ReflectorProbe {
  readonly place: string;
  readonly works: boolean;
  readonly evidence: string;
}

export interface StampProbe {
  readonly method: TestMethod;
  readonly reflectors: readonly ReflectorProbe[];
  /** As it would be said of the clock here. */
  readonly clock: ErrorEstimate;
}

/** Opens the reflector's sockets for a moment: a router that runs here has them already, and they are told as taken. */
export async function probeStamp(
  addresses: readonly IpAddress[],
  port: number,
  clockKind: ClockKind,
): Promise<StampProbe> {
  const { sockets, gate } = openSockets();
  const reflectors: ReflectorProbe[] = [];
  for (const address of addresses) {
    const place = formatEndpoint(address, port);
    try {
      (await sockets.open(address, port)).close();
      reflectors.push({ place, works: true, evidence: "" });
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      reflectors.push({ place, works: false, evidence: error.message });
    }
  }
  return { method: sockets.method, reflectors, clock: new ClockState(clockKind, gate).read() };
}
