/** Schema and checks of what agents may name in their descriptions (`a=sluice-class`), and of who may name it. */
import { z } from "zod";
import { MEDIA_SECURITY } from "../model/quality.js";
import { type CrossProblem, duplicateNames, duplicates } from "./common.js";
import { identifier, percent, rate, time } from "./scalars.js";
import { unknownName } from "./unknown-name.js";

const ACK_WAYS = ["routed", "direct"] as const;

export const sessionClassKeys = () =>
  z.strictObject({
    name: identifier().describe("Name of the session class, as agents write it."),
    class: identifier().describe("Service class of its media."),
    latency: time()
      .optional()
      .describe(
        "One-way latency, 95th percentile, that the class is for: needed by media that name it and say nothing else, and promised where nobody measures.",
      ),
    jitter: time().optional().describe("Interarrival jitter that the class is for, likewise."),
    loss: percent().optional().describe("Part of all packets that may be lost, likewise."),
    security: z
      .enum(MEDIA_SECURITY)
      .default("none")
      .describe("Least security of its media: `none`, `srtp` or `dtls`; with less a session is refused."),
    ack: z
      .enum(ACK_WAYS)
      .default("routed")
      .describe(
        "`routed`: the proxies stay in the dialog. `direct`: they leave it when it is set up, where all media of a session say so.",
      ),
    maxRate: rate()
      .optional()
      .describe("Highest rate of one direction of a medium, counted at layer 3: what is wanted beyond is not granted."),
  });

export const ruleSessionClassesKeys = () =>
  z
    .array(identifier())
    .min(1)
    .max(256)
    .optional()
    .describe(
      "Session classes that media may name. An assured rule covers sessions whose media each name one of these, or none if the rule has a `class`; without the key only sessions whose media name none. Other rules: if left out, any session.",
    );

export const UNMEASURED = ["refuse", "allow"] as const;

interface Rule {
  readonly sessionClasses?: readonly string[] | undefined;
}

interface Parts {
  readonly classes: readonly { readonly name: string }[];
  readonly sessionClasses: readonly { readonly name: string; readonly class: string }[];
  readonly rules: readonly Rule[];
}

export function checkSessionClasses({ classes, sessionClasses, rules }: Parts): readonly CrossProblem[] {
  const services = new Set(classes.map(({ name }) => name));
  const known = new Set(sessionClasses.map(({ name }) => name));
  return [
    ...duplicateNames(sessionClasses, "session class", ["sessionClasses"]),
    ...sessionClasses.flatMap((item, index) =>
      unknownName("class", item.class, services, ["sessionClasses", index, "class"]),
    ),
    ...rules.flatMap((rule, index) => checkRule(rule, index, known)),
  ];
}

function checkRule({ sessionClasses = [] }: Rule, rule: number, known: ReadonlySet<string>): readonly CrossProblem[] {
  return [
    ...duplicates(
      sessionClasses,
      "session class",
      (name) => name,
      (index) => ["rules", rule, "sessionClasses", index],
    ),
    ...sessionClasses.flatMap((name, index) =>
      unknownName("session class", name, known, ["rules", rule, "sessionClasses", index]),
    ),
  ];
}
