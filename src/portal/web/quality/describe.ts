/** Needs in words. Pure. */
import { type MediumKind, type MediumQuality, type NeedRange, PARAMETERS, type SessionQuality } from "./needs.js";
import { limitsOf } from "./presets.js";

const NAMES: Readonly<Record<MediumKind, string>> = { audio: "Sound", video: "Picture", application: "Game" };

/** What people call it. */
export const mediumName = (kind: MediumKind): string => NAMES[kind];

function describeRange({ wanted, worst }: NeedRange, scale: number, unit: string): string {
  const text = (value: number): string => String(Math.round((value / scale) * 100) / 100);
  return wanted === worst ? `${text(wanted)} ${unit}` : `${text(wanted)} to ${text(worst)} ${unit}`;
}

/** What is asked for what is sent, or for what is received where only that is said. */
export function describeMedium(kind: MediumKind, { send, recv, sessionClass }: MediumQuality): string {
  const needs = send ?? recv ?? {};
  const parts = PARAMETERS.flatMap((name) => {
    const range = needs[name];
    const { scale, unit } = limitsOf(kind, name);
    return range === undefined ? [] : [`${name} ${describeRange(range, scale, unit)}`];
  });
  const named = sessionClass === undefined ? "" : ` (${sessionClass})`;
  return `${mediumName(kind)}${named}: ${parts.length === 0 ? "nothing is asked for" : parts.join(", ")}`;
}

/** All media in one text. */
export function describeQuality(quality: SessionQuality): string {
  const parts = Object.entries(quality).map(([kind, medium]) => describeMedium(kind as MediumKind, medium));
  return parts.length === 0 ? "Nothing is asked of the network." : `${parts.join(". ")}.`;
}
