/** The measurements of a router, made with test packets (STAMP, RFC 8762) that wait in their pools' own queues. */
import type { PoolId } from "../../kernel/port.js";
import type { StampEndpoint } from "../../stamp/endpoint/stamp-endpoint.js";
import type { PathDirection } from "../../stamp/machine/session-sender.js";
import type { ProbedDirection, ProbeFinding, Probes, WantedProbe } from "./probes.js";

export interface ProbeSessionsOptions {
  readonly stamp: Pick<StampEndpoint, "setSessions" | "collect">;
  /** The pool's class, `major:minor` in 32 bits. */
  readonly classOf: (pool: PoolId) => number;
}

export class ProbeSessions implements Probes {
  readonly #options: ProbeSessionsOptions;

  constructor(options: ProbeSessionsOptions) {
    this.#options = options;
  }

  /** A pool's number is that of its session: it is the same at both ends where code points alone do not tell pools apart. */
  set(wanted: readonly WantedProbe[]): void {
    const { stamp, classOf } = this.#options;
    stamp.setSessions(
      wanted.map(({ pool, remote, port, dscp, interval }) => {
        return { id: pool, remote, port, dscp, interval, priority: classOf(pool) };
      }),
    );
  }

  collect(): readonly ProbeFinding[] {
    return [...this.#options.stamp.collect()].map(([pool, { sent, out, in: back, clocks }]) => {
      return { pool, sent, out: inMicroseconds(out), in: inMicroseconds(back), clocks };
    });
  }
}

const inMicroseconds = ({ lost, latency, jitter }: PathDirection): ProbedDirection => ({
  lost,
  ...(latency === undefined ? {} : { latency: latency * 1000 }),
  ...(jitter === undefined ? {} : { jitter: jitter * 1000 }),
});
