import type { RoleEvents } from "../../src/cli/ladder-hosts.js";
import type { MessageEvent } from "../../src/model/event.js";
import type { LadderHost, LadderStep } from "../../src/model/ladder.js";
import { sessionIdOf } from "../../src/model/session.js";
import { timestamp } from "../../src/model/units.js";

export const SESSION = sessionIdOf("call", "tag");

const ADDRESSES: Readonly<Record<LadderHost, string>> = {
  UAC: "10.1.0.10",
  SIP1: "10.1.0.5",
  POL1: "10.1.0.6",
  R1: "10.1.0.1",
  CH: "10.4.0.7",
  R2: "10.3.0.1",
  POL2: "10.3.0.6",
  SIP2: "10.3.0.5",
  UAS: "10.3.0.10",
};
const HOSTS = Object.keys(ADDRESSES) as LadderHost[];

interface Options {
  /** Milliseconds that a host's clock is ahead. */
  readonly skew?: Partial<Record<LadderHost, number>>;
  /** One address for all hosts, which then differ by port. */
  readonly address?: string;
}

/** What the roles (all hosts but the user agents) log when these messages pass, one each millisecond. */
export function ladderLogs(steps: readonly LadderStep[], { skew = {}, address }: Options = {}): RoleEvents[] {
  const endpoint = (host: LadderHost): string =>
    address === undefined ? `${ADDRESSES[host]}:5060` : `${address}:${1000 + HOSTS.indexOf(host)}`;
  return HOSTS.filter((host) => host !== "UAC" && host !== "UAS").map((host) => ({
    host,
    events: steps.flatMap((step, index): MessageEvent[] => {
      if (step.from !== host && step.to !== host) return [];
      const action = step.from === host ? "sent" : "received";
      const flight = action === "received" ? 0.1 : 0;
      return [
        {
          at: timestamp(
            1_000_000 + index + flight * (step.from === "UAC" || step.from === "UAS" ? 0 : 1) + (skew[host] ?? 0),
          ),
          session: SESSION,
          protocol: step.protocol,
          message: step.message,
          action,
          from: endpoint(step.from),
          to: endpoint(step.to),
        },
      ];
    }),
  }));
}
