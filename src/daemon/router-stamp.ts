/** A router's measurements towards other edges, and what it reflects of theirs (STAMP, RFC 8762). */
import type { RouterConfig } from "../config/router.js";
import type { StampConfig } from "../config/stamp.js";
import type { StampView } from "../control/stamp-views.js";
import { classHandle } from "../kernel/tc/difference.js";
import { minorOfPool } from "../kernel/tc/tree.js";
import { parsePrefix } from "../model/ip.js";
import { type Millis, millis, seconds } from "../model/units.js";
import { ProbeSessions } from "../pep/router/probe-sessions.js";
import type { RouterPepOptions } from "../pep/router/router-pep.js";
import { StampEndpoint } from "../stamp/endpoint/stamp-endpoint.js";
import type { RoleContext } from "./role.js";

/** Whoever asks anew knows nothing; before packets can be told as lost there is nothing to tell but those that came back. */
const firstReport = (timeout: Millis): Millis => millis(timeout + 200);
/** A session of another edge is remembered for so long after its last packet. */
const REFLECTED_IDLE = seconds(60);

/** Undefined for a router that measures nothing. */
export async function openStamp(
  { log, clock, cleanup }: RoleContext<RouterConfig>,
  stamp: StampConfig | undefined,
): Promise<StampEndpoint | undefined> {
  if (stamp === undefined) return undefined;
  const { addresses, port, allow, rate, maxSessions, timeout, clock: clockKind } = stamp;
  const endpoint = await StampEndpoint.open({
    addresses,
    port,
    ...(allow === undefined ? {} : { allow: allow.flatMap((prefix) => parsePrefix(prefix) ?? []) }),
    reflector: { maxSessions, rate, idle: REFLECTED_IDLE },
    timeout,
    clockKind,
    clock,
    log,
  });
  cleanup.add(() => endpoint.close());
  return endpoint;
}

/** For the enforcement point: packets of a pool wait in its own class. */
export function probing(
  stamp: StampEndpoint | undefined,
  config: StampConfig | undefined,
): Pick<RouterPepOptions, "probes"> {
  if (stamp === undefined || config === undefined) return {};
  const source = new ProbeSessions({ stamp, classOf: (pool) => classHandle(minorOfPool(pool)) });
  return { probes: { source, times: { first: firstReport(config.timeout), interval: config.report } } };
}

export function stampView({ method, synchronised, reflected: reflecting, counters }: StampEndpoint): StampView {
  const { times, classes, lacking } = method;
  const all = Object.fromEntries(counters.all());
  const refused = Object.entries(all).reduce(
    (sum, [name, count]) => sum + (name.startsWith("dropped.") ? count : 0),
    0,
  );
  return {
    times,
    classes,
    synchronised,
    reflecting,
    sent: counters.get("sent"),
    answered: counters.get("reply.first"),
    reflected: counters.get("reflected"),
    refused,
    counters: all,
    ...(lacking === undefined ? {} : { lacking }),
  };
}

/** It measures all the same, and what it finds is less than it seems. */
export const stampWarnings = ({ method: { lacking } }: Pick<StampEndpoint, "method">): readonly string[] =>
  lacking === undefined ? [] : [`paths are not measured as sessions find them: ${lacking}`];
