import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { recordsView } from "../../src/daemon/pdp-records.js";
import { SystemError } from "../../src/model/errors.js";
import { SessionStore } from "../../src/pdp/session-store.js";
import { UsageRecords } from "../../src/pdp/usage-records.js";

let directory: string;
let store: SessionStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-records-"));
  store = new SessionStore(join(directory, "pdp.db"));
});
afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true, force: true });
});

describe("billing records that are asked for", () => {
  it("take any time there is, with fractions or none", () => {
    const records = new UsageRecords(store.database);
    for (const before of [String(Number.MAX_SAFE_INTEGER), "1795274004052.8171", "0", undefined]) {
      expect(recordsView(records, { user: "alice@a.example", ...(before === undefined ? {} : { before }) })).toEqual(
        [],
      );
    }
  });

  it.each(["", "-1", "soon", "1e3", "99999999999999999"])("refuse what is no time: %j", (before) => {
    expect(() => recordsView(new UsageRecords(store.database), { before })).toThrow(SystemError);
  });
});
