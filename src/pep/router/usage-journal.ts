/**
 * Final counters of removed flows, kept until nobody can ask for them again. They are written before the
 * removal is reported; a policy server that was away hears them again when it is back, and counts each flow once.
 */

import type { FlowId } from "../../kernel/port.js";
import type { Clock } from "../../model/clock.js";
import { type Millis, type Octets, seconds } from "../../model/units.js";
import type { FlowCounters } from "../../model/usage.js";
import { type Database, type Migration, openDatabase } from "../../store/database.js";

const MIGRATIONS: readonly Migration[] = [
  {
    name: "finals",
    up: `CREATE TABLE final (
     flow INTEGER PRIMARY KEY,
     in_packets INTEGER NOT NULL, in_octets INTEGER NOT NULL,
     out_packets INTEGER NOT NULL, out_octets INTEGER NOT NULL,
     at REAL NOT NULL
   ) STRICT;
   CREATE INDEX final_at ON final (at);`,
  },
];

/** Long enough for a policy server to be mended; flow numbers are not given again. */
const RETENTION: Millis = seconds(24 * 3600);

interface Row {
  readonly flow: number;
  readonly in_packets: number;
  readonly in_octets: number;
  readonly out_packets: number;
  readonly out_octets: number;
}

export class UsageJournal {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(path: string, clock: Clock) {
    this.#database = openDatabase(path, MIGRATIONS);
    this.#clock = clock;
    this.#database.prepare("DELETE FROM final WHERE at < ?").run(clock.now() - RETENTION);
  }

  /** The later word stands: what was read before a removal gives way to what the kernel said in removing. */
  record(finals: ReadonlyMap<FlowId, FlowCounters>): void {
    if (finals.size === 0) return;
    const insert = this.#database.prepare(
      `INSERT OR REPLACE INTO final (flow, in_packets, in_octets, out_packets, out_octets, at) VALUES (?, ?, ?, ?, ?, ?)`,
    );
    const at = this.#clock.now();
    this.#database.transaction(() => {
      for (const [flow, { inProfile, outOfProfile }] of finals) {
        insert.run(flow, inProfile.packets, inProfile.octets, outOfProfile.packets, outOfProfile.octets, at);
      }
    })();
  }

  all(): ReadonlyMap<FlowId, FlowCounters> {
    const rows = this.#database.prepare("SELECT * FROM final").all() as Row[];
    return new Map(rows.map((row) => [row.flow, countersOf(row)]));
  }

  close(): void {
    this.#database.close();
  }
}

const countersOf = (row: Row): FlowCounters => ({
  inProfile: { packets: row.in_packets, octets: row.in_octets as Octets },
  outOfProfile: { packets: row.out_packets, octets: row.out_octets as Octets },
});
