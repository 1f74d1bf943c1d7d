/**
 * A policy server, wired as src/daemon/run-pdp.ts does it, with one proxy: sessions, pools, measured paths, trace, and state on
 * disk are the real ones. Its router answers at once.
 */
import { join } from "node:path";
import { DEFAULT_COPS_LIMITS } from "../../src/cops/endpoint/limits.js";
import { PdpPeer } from "../../src/cops/endpoint/pdp-peer.js";
import { aaaContext, DEFAULT_SIP_CLIENT_TYPE, dialogHandle, ldpContext } from "../../src/cops/sip/codes.js";
import { directivesOf } from "../../src/daemon/pdp-authority.js";
import { exchangeLog } from "../../src/daemon/role.js";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { parsePrefix } from "../../src/model/ip.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { sessionIdOf } from "../../src/model/session.js";
import { type BitsPerSecond, bitsPerSecond, millis, octets, seconds } from "../../src/model/units.js";
import { LocalAuthority } from "../../src/pdp/authority-local.js";
import { AdmissionLedger } from "../../src/pdp/ledger.js";
import { PoolKeeper } from "../../src/pdp/pools/pool-keeper.js";
import { PoolMap } from "../../src/pdp/pools/pool-map.js";
import { PoolTally, TalliedPools } from "../../src/pdp/pools/pool-watch-tally.js";
import { InstantReservations } from "../../src/pdp/pools/reservation-port.js";
import { PathQualities } from "../../src/pdp/quality/path-qualities.js";
import { RuleBook } from "../../src/pdp/rules.js";
import type { SessionRecord } from "../../src/pdp/session-record.js";
import { SessionService } from "../../src/pdp/session-service.js";
import { SessionStore } from "../../src/pdp/session-store.js";
import { SipLink } from "../../src/pdp/sip/sip-link.js";
import { UsageRecords } from "../../src/pdp/usage-records.js";
import { EventLog } from "../../src/telemetry/event-log.js";
import { CALLER, className, type Exchange, inviteOf, MEDIA, okOf } from "./messages.js";

const parts = { clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
const LINK_OVERHEAD = octets(14);
/** Reports of a path that count at a time: one each 5 s, in a window of 30 s. */
const REPORTS = 6;

/** Milliseconds from the octets of a message to the decision on it. */
export interface Decided {
  readonly invite: number;
  readonly ok: number;
}

export class DecisionServer {
  readonly #store: SessionStore;
  readonly #events: EventLog;
  readonly #keeper: PoolKeeper;
  readonly #service: SessionService;
  readonly #link: SipLink;
  readonly #proxy: PdpPeer;
  #calls = 0;

  /** @param directory - of its state. @param rate - of the pool that all sessions take from, each direction */
  constructor(directory: string, rate: BitsPerSecond) {
    const store = new SessionStore(join(directory, "pdp.db"));
    const records = new UsageRecords(store.database);
    const pool = { name: "game", from: "a", to: "b", class: "game", direction: "both" as const, rate };
    const kept = { ...pool, overhead: bitsPerSecond(0), sizing: "fixed" as const, schedule: [] };
    const keeper: PoolKeeper = new PoolKeeper({
      ledger: new AdmissionLedger([kept]),
      pools: [kept],
      timeZone: "UTC",
      port: new InstantReservations(() => keeper),
      rank: (id) => service.rank(id),
      shed: (id, name) => void service.shed(id, name),
      ...parts,
    });
    const service: SessionService = new SessionService({
      ...policy(pool),
      quality: measuredPaths(pool.name),
      ledger: new TalliedPools(keeper, new PoolTally()),
      authority: new LocalAuthority(() => store.nextNumber("transaction")),
      enforcement: { connected: true, change: () => Promise.resolve({ admitted: true }) },
      store,
      ...parts,
      settle: (record) => records.settle(record),
      directivesOf,
    });
    this.#events = new EventLog({ directory, log: SILENT_LOGGER });
    this.#store = store;
    this.#keeper = keeper;
    this.#service = service;
    this.#link = new SipLink({
      service,
      rules: { domain: "a.example", prefixes: prefixes("198.51.100.0/24"), symmetric: true },
      agent: "pol1.a.example",
      onExchange: exchangeLog(this.#events, "COPS", "192.0.2.6:3288"),
      ...parts,
    });
    this.#proxy = proxy();
    this.#link.opened(this.#proxy);
    keeper.start();
  }

  /** Sets up a session, and leaves it. @returns what it took, and the record. @throws Error if it is refused */
  async setUp(
    exchange: Exchange,
    caller: string = CALLER.aor,
  ): Promise<{ readonly took: Decided; readonly record: SessionRecord }> {
    this.#calls += 1;
    const dialog = { callId: `call-${this.#calls}`, caller };
    const invite = await this.#decided(aaaContext(), inviteOf(dialog, exchange));
    const ok = await this.#decided(ldpContext("answer"), okOf(dialog, exchange));
    const record = this.#service.get(sessionIdOf(dialog.callId, dialog.callId));
    if (record?.state !== "reserved" || record.flows.length !== 2 * MEDIA) {
      throw new Error(`the session is not reserved: ${JSON.stringify(record?.refusal ?? record?.state)}`);
    }
    return { took: { invite, ok }, record };
  }

  async end({ id }: SessionRecord): Promise<void> {
    await this.#service.release(id, "bye");
    await this.#link.deleted(this.#proxy, this.#handle());
    if (this.#service.live().some((record) => record.id === id)) throw new Error("the session lives on");
    // What happened is written to the trace between sessions.
    await new Promise((resolve) => setImmediate(resolve));
  }

  close(): void {
    this.#keeper.close();
    this.#store.close();
    this.#events.close();
  }

  #handle = (): Buffer => dialogHandle(this.#calls);

  async #decided(context: ReturnType<typeof aaaContext>, message: Buffer): Promise<number> {
    const handle = this.#handle();
    const request = { op: "REQ", clientType: DEFAULT_SIP_CLIENT_TYPE, handle, context } as const;
    const started = performance.now();
    await this.#link.request(this.#proxy, { ...request, signaled: [message], named: [], lpdp: [] });
    return performance.now() - started;
  }
}

const prefixes = (...texts: readonly string[]) => texts.flatMap((text) => parsePrefix(text) ?? []);

/** Every medium may name a class of its own; media that name none are served alike. */
function policy(pool: { readonly name: string; readonly from: string; readonly to: string; readonly class: string }) {
  const classes = Array.from({ length: MEDIA }, (_, nth) => className(nth));
  const community = (name: string, prefix: string) => ({
    name,
    prefixes: [prefix],
    domains: [`${name}.example`],
    router: `r.${name}.example`,
  });
  return {
    rules: new RuleBook(
      [
        {
          name: "negotiated",
          from: "*@*",
          to: "*@*",
          treatment: "assured",
          class: pool.class,
          sessionClasses: classes,
          maxSessionsPerUser: 10,
        },
      ],
      "refuse",
    ),
    classes: new Map([[pool.class, { name: pool.class, phb: "CS4" as const }]]),
    sessionClasses: new Map(
      classes.map((name) => [
        name,
        { name, class: pool.class, latency: millis(40), jitter: millis(15), loss: 0.005, ack: "routed" as const },
      ]),
    ),
    unmeasured: "refuse" as const,
    map: new PoolMap({
      communities: [community("a", "198.51.100.0/24"), community("b", "203.0.113.0/24")],
      links: [],
      pools: [{ ...pool, direction: "both" }],
    }),
    linkOverhead: LINK_OVERHEAD,
  };
}

/** A good path, with as many reports as count at a time. */
function measuredPaths(name: string): PathQualities {
  const forever = seconds(86_400);
  const qualities = new PathQualities({
    pools: [{ id: 1, name }],
    window: forever,
    staleAfter: forever,
    clock: SYSTEM_CLOCK,
  });
  const found = { lost: 0, sent: 100, latency: millis(2), jitter: millis(0.5) };
  for (let nth = 0; nth < REPORTS; nth++) {
    qualities.report([{ pool: 1, out: found, in: found, clocks: "synchronised" }]);
  }
  return qualities;
}

const proxy = (): PdpPeer =>
  new PdpPeer({
    pepId: "sip1.a.example",
    clientType: DEFAULT_SIP_CLIENT_TYPE,
    ends: { local: "192.0.2.6:3288", remote: "192.0.2.5:40000" },
    clock: SYSTEM_CLOCK,
    limits: DEFAULT_COPS_LIMITS,
    send: () => undefined,
    close: () => undefined,
  });
