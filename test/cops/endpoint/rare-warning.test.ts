import { expect, it } from "vitest";
import { RareWarning } from "../../../src/cops/endpoint/rare-warning.js";
import { type LogFields, SILENT_LOGGER } from "../../../src/model/log.js";
import { timestamp } from "../../../src/model/units.js";

it("a warning that a peer can cause at will is written once in ten seconds, with the count of the others", () => {
  const lines: unknown[] = [];
  let now = 1_000_000;
  const clock = { now: () => timestamp(now), after: () => ({ cancel: () => undefined }) };
  const write = (event: string, fields?: LogFields | (() => LogFields)) => lines.push([event, fields]);
  const warning = new RareWarning("cops.unreadable", clock, { ...SILENT_LOGGER, warn: write });
  for (let times = 0; times < 1000; times += 1) warning.warn({ peer: "a" });
  now += 9_999;
  warning.warn({ peer: "b" });
  expect(lines).toEqual([["cops.unreadable", { peer: "a", times: 1 }]]);
  now += 1;
  warning.warn({ peer: "c" });
  expect(lines[1]).toEqual(["cops.unreadable", { peer: "c", times: 1001 }]);
});
