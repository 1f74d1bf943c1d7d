import { describe, expect, it } from "vitest";
import type { IpAddress } from "../../../src/model/ip.js";
import { type BitsPerSecond, bitsPerSecond, dscp } from "../../../src/model/units.js";
import type { ReservationAsk } from "../../../src/pdp/rsvp/reservation-reading.js";
import { type ReservationRule, ReservationRules } from "../../../src/pdp/rsvp/reservation-rules.js";
import type { Session, Style } from "../../../src/rsvp/codec/objects.js";
import { aggregate, singleFlow } from "./requests.js";

const rate = bitsPerSecond(1e6);
const ask = (
  session: Session,
  senders: readonly IpAddress[] = ["10.1.0.1"],
  wanted = 100_000,
  style: Style = "FF",
): ReservationAsk => ({
  kind: "reservation",
  session,
  style,
  senders,
  rate: bitsPerSecond(wanted),
  identity: "x",
});

const RULES: readonly ReservationRule[] = [
  { name: "edge-ef", from: "10.1.0.0/16", to: "10.3.0.0/24", dscp: dscp(46), rate },
  { name: "edge-any", from: "10.1.0.1/32", to: "10.3.0.0/24", rate: bitsPerSecond(50_000) },
  { name: "v6", from: "fd01::/64", to: "fd03::/64", rate },
  { name: "anybody", to: "10.4.0.0/24", rate },
];

const judge = (asked: ReservationAsk, used = 0) =>
  new ReservationRules(RULES).judge(asked, () => used as BitsPerSecond);

describe("rules for reservations", () => {
  it.each([
    ["edge-ef", ask(aggregate("10.3.0.1"))],
    [
      "edge-ef",
      ask({
        ...aggregate("10.3.0.1"),
        kind: "genericAggregate",
        phbId: 46 << 10,
        vDstPort: 1,
        extendedVDstPort: "10.1.0.1",
      } as Session),
    ],
    ["edge-any", ask(aggregate("10.3.0.1", 34), ["10.1.0.1"], 50_000)],
    ["edge-any", ask(singleFlow("10.3.0.7"), ["10.1.0.1"], 50_000)],
    ["v6", ask(aggregate("fd03::1"), ["fd01::1"])],
    ["anybody", ask(singleFlow("10.4.0.7"), [], 100_000, "WF")],
  ])("let %s through by the first that fits", (rule, asked) => {
    expect(judge(asked)).toEqual({ admit: true, rule });
  });

  it.each([
    ["another sender", ask(aggregate("10.3.0.1"), ["10.2.0.1"]), 3],
    ["another destination", ask(aggregate("10.5.0.1")), 3],
    ["one of several senders", ask(aggregate("10.3.0.1"), ["10.1.0.1", "10.2.0.1"], 100, "SE"), 3],
    ["a wildcard where senders count", ask(aggregate("10.3.0.1"), [], 100, "WF"), 18],
    ["another family", ask(aggregate("10.3.0.1"), ["fd01::1"]), 3],
  ])("let nobody through for %s", (_name, asked, value) => {
    expect(judge(asked)).toMatchObject({ admit: false, value });
  });

  it("count what others have, to the last bit", () => {
    expect(judge(ask(aggregate("10.3.0.1"), ["10.1.0.1"], 100_000), 900_000)).toMatchObject({ admit: true });
    expect(judge(ask(aggregate("10.3.0.1"), ["10.1.0.1"], 100_001), 900_000)).toEqual({
      admit: false,
      rule: "edge-ef",
      value: 4,
      text: "rule edge-ef has 100 kbit/s left, 100.001 kbit/s are asked for",
      needed: 100_001,
      free: 100_000,
    });
  });

  it("let a Path through wherever its reservation might be", () => {
    const path = { kind: "path", session: aggregate("10.3.0.1"), senders: ["10.1.0.1"] } as const;
    expect(new ReservationRules(RULES).judge(path, () => rate)).toEqual({ admit: true, rule: "edge-ef" });
  });
});
