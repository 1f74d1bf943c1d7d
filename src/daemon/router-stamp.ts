/** A router's measurements towards other edges, and what it reflects of theirs (STAMP, RFC 8762). */
import type { RouterConfig } from "../config/router.js";
import type { StampConfig } from "../config/stamp.js";
import { classHandle } from "../kernel/tc/difference.js";
import { minorOfPool } from "../kernel/tc/tree.js";
import { parsePrefix } from "../model/ip.js";
import { seconds } from "../model/units.js";
import { ProbeSessions } from "../pep/router/probe-sessions.js";
import type { RouterPepOptions } from "../pep/router/router-pep.js";
import { StampEndpoint } from "../stamp/endpoint/stamp-endpoint.js";
import type { RoleContext } from "./role.js";

/** Whoever asks anew knows nothing. */
const FIRST_REPORT = seconds(1);
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
  return { probes: { source, times: { first: FIRST_REPORT, interval: config.report } } };
}
