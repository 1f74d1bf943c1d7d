/** Making an answer out of an offer: keep, loosen, tighten or decline, and never outside the range that was offered (docs/SDP.md). */
import type { MediumKind, MediumQuality, NeedRange, Needs, Parameter, SessionQuality } from "./needs.js";
import { PARAMETERS, stricter } from "./needs.js";

/** The values that a callee chose by parameter; what is absent is kept as offered. */
export type Choice = Partial<Readonly<Record<Parameter, number>>>;

/** `decline` serves the medium without needs. */
export type AnswerChoice = { readonly kind: "keep" } | { readonly kind: "decline" } | AdjustChoice;

interface AdjustChoice {
  readonly kind: "adjust";
  readonly choices: Partial<Readonly<Record<MediumKind, Choice>>>;
}

/** Offered by the other side, said by this one: its sending is our receiving. */
export function answerTo(offered: MediumQuality, choice: Choice): MediumQuality {
  const { send, recv, ...rest } = offered;
  return {
    ...rest,
    ...(recv === undefined ? {} : { send: adjust(recv, choice) }),
    ...(send === undefined ? {} : { recv: adjust(send, choice) }),
  };
}

/** The answer for every kind of medium of the offer. */
export function answerQuality(offered: SessionQuality, answer: AnswerChoice): SessionQuality {
  if (answer.kind === "decline") return {};
  const choices = answer.kind === "adjust" ? answer.choices : {};
  const entries = Object.entries(offered).map(([kind, medium]) => {
    const choice = choices[kind as MediumKind] ?? {};
    return [kind, answerTo(medium, choice)] as const;
  });
  return Object.fromEntries(entries);
}

function adjust(needs: Needs, choice: Choice): Needs {
  const pairs = PARAMETERS.flatMap((parameter) => {
    const offered = needs[parameter];
    return offered === undefined ? [] : [[parameter, adjustRange(parameter, offered, choice[parameter])] as const];
  });
  return Object.fromEntries(pairs);
}

/** Neither value is ever looser than the worst that was offered. */
function adjustRange(parameter: Parameter, offered: NeedRange, chosen: number | undefined): NeedRange {
  if (chosen === undefined || !Number.isFinite(chosen) || chosen < 0) return offered;
  const wanted = stricter(parameter, chosen, offered.worst);
  return { wanted, worst: offered.worst };
}

export type Difference = "kept" | "loosened" | "tightened" | "declined";

/** How an answer stands to its offer, both of one medium; directions are turned here. */
export function compareAnswer(offered: MediumQuality, answered: MediumQuality | undefined): Difference {
  const pairs = [
    [offered.send, answered?.recv],
    [offered.recv, answered?.send],
  ] as const;
  if (pairs.every(([, said]) => said === undefined)) return "declined";
  const signs = pairs.flatMap(([asked, said]) =>
    PARAMETERS.map((name) => compareRange(name, asked?.[name], said?.[name])),
  );
  if (signs.includes("loosened")) return "loosened";
  return signs.includes("tightened") ? "tightened" : "kept";
}

function compareRange(parameter: Parameter, asked?: NeedRange, said?: NeedRange): Difference {
  if (asked === undefined || said === undefined || asked.wanted === said.wanted) return "kept";
  return stricter(parameter, asked.wanted, said.wanted) === asked.wanted ? "loosened" : "tightened";
}
