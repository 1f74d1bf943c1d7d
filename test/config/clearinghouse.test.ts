import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PriceBook } from "../../src/clearinghouse/price-book.js";
import { priceRules } from "../../src/clearinghouse/price-rules.js";
import { DEFAULT_SHARES, parsePrice } from "../../src/config/clearinghouse-prices.js";
import { loadConfig } from "../../src/config/load.js";
import { AMOUNT_MAX } from "../../src/model/amount.js";
import { ConfigError } from "../../src/model/errors.js";
import { priceOf } from "../../src/osp/tariff.js";

const BASE = `role: clearinghouse
name: ch.example
osp: { listen: 10.4.0.7:5045 }
signing: { key: k.pem, certificate: c.pem }
peers: [{ name: pol1.a.example, addresses: [10.1.0.3], domains: [a.example] }]
destinations: [{ domain: b.example, signal: "10.3.0.2:5060" }]
`;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-ch-config-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function read(more: string) {
  const file = join(directory, "ch.yaml");
  writeFileSync(file, BASE + more);
  return loadConfig(file, "clearinghouse", { needFiles: false });
}
function complaints(more: string): readonly string[] {
  try {
    read(more);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ message }) => message);
  }
}

describe("a clearinghouse's prices", () => {
  it("are none, and shares are as usual, where nothing is said", () => {
    expect(read("")).toMatchObject({
      prices: [],
      shares: { originating: 0.45, terminating: 0.45, clearinghouse: 0.1 },
      settleAfter: 3_600_000,
    });
    expect(read("").directory).toBeUndefined();
  });

  it("are read exactly, quoted or not, with nothing for what is left out", () => {
    const [price] = read(
      `prices: [{ class: game-fps, to: b.example, currency: EUR, perMinute: 0.012, setup: "0.1" }]`,
    ).prices;
    expect(price).toEqual({
      class: "game-fps",
      from: "*",
      to: "b.example",
      currency: "EUR",
      setup: 100_000n,
      perMinute: 12_000n,
      perMegabyte: 0n,
      perMegabyteOutOfProfile: 0n,
      perMbitMinute: 0n,
    });
    // The first decides, and the arithmetic takes it as it is.
    const book = new PriceBook(priceRules([price!, { ...price!, to: "*" }], DEFAULT_SHARES));
    const tariff = book.tariffOf("game-fps", "a.example", "b.example");
    const used = { milliseconds: 60_000, rate: 0, octetsInProfile: 0, octetsOutOfProfile: 0 };
    expect(priceOf(tariff!, used)).toMatchObject({ amount: 112_000n, originating: 50_400n, clearinghouse: 11_200n });
    expect(book.tariffOf("voice", "a.example", "b.example")).toBeUndefined();
  });

  it("are amounts that nothing is lost of, and that fit on the wire", () => {
    expect(["0", "0.000001", "999999.999999", " 12.5 ", "1000000"].map(parsePrice)).toEqual(
      [0n, 1n, 999_999_999_999n, 12_500_000n, AMOUNT_MAX].map((value) => ({ value })),
    );
    expect(complaints(`prices: [{ currency: EUR, setup: -1 }]`)).toEqual(['prices[0].setup: "-1" is not an amount']);
    expect(complaints(`prices: [{ currency: EUR, setup: 1e-7 }]`)).toEqual([
      'prices[0].setup: "1e-7" is not an amount',
    ]);
    expect(complaints(`prices: [{ currency: EUR, setup: 1000000.000001 }]`)).toEqual([
      'prices[0].setup: "1000000.000001" is not an amount',
    ]);
    expect(complaints(`prices: [{ currency: EUR, setup: [1] }]`)).toEqual([
      "prices[0].setup: a list does not fit here",
    ]);
    expect(complaints(`prices: [{ currency: euro }]`)).toHaveLength(1);
    expect(complaints(`prices: [{ setup: 1 }]`)).toHaveLength(1);
  });

  it("are shared out as a whole", () => {
    const shares = (text: string) => complaints(`shares: { ${text} }`);
    expect(shares("originating: 33.3333 %, terminating: 33.3333 %, clearinghouse: 33.3334 %")).toEqual([]);
    expect(shares("originating: 50 %, terminating: 45 %, clearinghouse: 10 %")).toEqual([
      "shares: the shares are 105 % together",
    ]);
    expect(shares("originating: 45, terminating: 45 %, clearinghouse: 10 %")).toHaveLength(1);
  });
});

describe("a clearinghouse's directory", () => {
  it("knows its clients by prefix, with domains or without", () => {
    const text = `directory: { listen: "10.4.0.7:5046", clients: [10.1.0.0/16, { prefix: "fd01::/64", domains: [b.example] }] }`;
    expect(read(text).directory?.clients.map(({ domains }) => domains)).toEqual([undefined, ["b.example"]]);
    expect(complaints(`directory: { listen: "10.4.0.7:5046", clients: [] }`)).toHaveLength(1);
    expect(complaints(`directory: { listen: "10.4.0.7:5046", clients: [everybody] }`)).toHaveLength(1);
  });
});
