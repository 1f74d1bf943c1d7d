import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openClearinghouseStore, type SqliteClearinghouseStore } from "../../src/clearinghouse/sqlite-store.js";
import type { ClearinghouseTransaction } from "../../src/clearinghouse/store.js";
import type { Timestamp } from "../../src/model/units.js";
import type { TransactionId } from "../../src/osp/codec/messages.js";
import { CALL_ID, NOW, SESSION, txid } from "../osp/support.js";

let directory: string;
let store: SqliteClearinghouseStore;
const open = () => openClearinghouseStore(join(directory, "ch.db"));

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-ch-test-"));
  store = open();
});
afterEach(async () => {
  store.close();
  await rm(directory, { recursive: true });
});

const record = {
  originatingPeer: "pol1",
  terminatingPeer: undefined,
  callId: CALL_ID,
  session: SESSION,
  source: "alice@a.example",
  destination: "bob@b.example",
  createdAt: NOW,
  expiresAt: (NOW + 1000) as Timestamp,
};
const exchange = (body: string, work: (tx: ClearinghouseTransaction) => string, remember = true) =>
  store.exchange({ peer: "pol1", digest: Buffer.from(body), receivedAt: NOW }, (tx) => ({
    response: Buffer.from(work(tx)),
    remember,
  }));
const add = (body: string) => exchange(body, (tx) => tx.addTransaction(record));

describe("an exchange", () => {
  it("is done once for a body, also by two at once and after a restart", async () => {
    const [first, second] = await Promise.all([add("a"), add("a")]);
    expect(second).toEqual(first);
    store.close();
    store = open();
    expect(await add("a")).toEqual(first);
  });

  it("that is not to be remembered is done again", async () => {
    let times = 0;
    const count = () => exchange("a", () => String(++times), false);
    expect([(await count()).toString(), (await count()).toString()]).toEqual(["1", "2"]);
  });

  it("that fails changes nothing, and takes no other of its commit with it", async () => {
    let lost: TransactionId | undefined;
    const failing = exchange("bad", (tx) => {
      lost = tx.addTransaction(record);
      throw new Error("no");
    });
    const outcomes = await Promise.allSettled([add("a"), failing, add("b")]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(lost).toBeDefined();
    const open = await exchange("count", (tx) => String(tx.countOpen("pol1", NOW, 100)));
    expect(open.toString()).toBe("2");
  });
});

describe("a TransactionId", () => {
  it("goes up, and is not given again after a restart", async () => {
    const before = BigInt((await add("a")).toString());
    store.close();
    store = open();
    expect(BigInt((await add("b")).toString())).toBe(before + 1n);
  });

  it("finds its record, and one that is none finds nothing", async () => {
    const id = txid((await add("a")).toString());
    const found = await exchange("find", (tx) => {
      expect(tx.findTransaction(txid("18446744073709551615"))).toBeUndefined();
      return JSON.stringify(tx.findTransaction(id)?.callId.equals(CALL_ID));
    });
    expect(found.toString()).toBe("true");
  });
});
