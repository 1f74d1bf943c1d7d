import { SILENT_LOGGER } from "../../../src/model/log.js";
import type { SessionId } from "../../../src/model/session.js";
import { type BitsPerSecond, bitsPerSecond, millis, timestamp } from "../../../src/model/units.js";
import { AdmissionLedger, type LedgerAnswer, type PoolNeed } from "../../../src/pdp/ledger.js";
import { PoolKeeper } from "../../../src/pdp/pools/pool-keeper.js";
import type { KeptPool } from "../../../src/pdp/pools/pool-sizings.js";
import type { ReservationPort } from "../../../src/pdp/pools/reservation-port.js";
import { FakeClock } from "../../support/fake-clock.js";

export const id = (n: number) => n.toString(16).padStart(16, "0") as SessionId;
export const need = (pool: string, up: number, down = up): PoolNeed => ({
  pool,
  up: bitsPerSecond(up),
  down: bitsPerSecond(down),
});

export const following = (name: string): KeptPool => ({
  name,
  rate: bitsPerSecond(200),
  overhead: bitsPerSecond(20),
  sizing: {
    floor: bitsPerSecond(200),
    ceiling: bitsPerSecond(1000),
    step: bitsPerSecond(100),
    headRoom: bitsPerSecond(0),
    hold: millis(1000),
    growTimeout: millis(500),
    retry: millis(2000),
  },
  schedule: [],
});

/** Keeps requests until it is told what becomes of them. */
export class LabNetwork implements ReservationPort {
  readonly requests: [pool: string, rate: BitsPerSecond][] = [];
  readonly reserved = new Map<string, BitsPerSecond>();
  keeper: PoolKeeper | undefined;

  request(pool: string, rate: BitsPerSecond): void {
    this.requests.push([pool, rate]);
  }

  grant(): void {
    for (let next = this.requests.shift(); next !== undefined; next = this.requests.shift()) {
      this.reserved.set(...next);
      this.keeper?.confirmed(...next);
    }
  }

  refuse(): void {
    const [pool, rate] = this.requests.shift() ?? [];
    if (pool !== undefined && rate !== undefined) this.keeper?.refused(pool, rate, this.left(pool));
  }

  takeBack(pool: string, part: number): void {
    this.reserved.set(pool, bitsPerSecond(Math.floor(this.left(pool) * part)));
    this.keeper?.takenBack(pool, this.left(pool));
  }

  left(pool: string): BitsPerSecond {
    return this.reserved.get(pool) ?? bitsPerSecond(0);
  }
}

/** Two pools that grow, one that does not, and a link of 700. */
export function world(pools: readonly KeptPool[] = [following("p"), following("q")]) {
  const clock = new FakeClock();
  const network = new LabNetwork();
  const rooms: [string, number][] = [];
  const sheds: [SessionId, string][] = [];
  const ledger = new AdmissionLedger([
    ...pools,
    { name: "fixed", rate: bitsPerSecond(300) },
    { name: "link", rate: bitsPerSecond(700) },
  ]);
  const keeper = new PoolKeeper({
    ledger,
    pools,
    timeZone: "UTC",
    port: network,
    rank: (session) => ({ priority: session.endsWith("9") ? 1 : 0, since: timestamp(Number.parseInt(session, 16)) }),
    shed: (session, pool) => sheds.push([session, pool]),
    onRoom: (pool, room) => rooms.push([pool, room]),
    clock,
    log: SILENT_LOGGER,
  });
  network.keeper = keeper;
  return { clock, network, ledger, keeper, rooms, sheds };
}

export function begun(pools?: readonly KeptPool[]) {
  const parts = world(pools);
  parts.keeper.start();
  parts.network.grant();
  return parts;
}

/** What has been answered by now. */
export async function answerOf(answer: LedgerAnswer | Promise<LedgerAnswer>): Promise<LedgerAnswer | "waits"> {
  return Promise.race([answer, new Promise<"waits">((resolve) => setImmediate(() => resolve("waits")))]);
}
