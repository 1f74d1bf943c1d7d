/** The headers of the answers to REGISTER (RFC 3261 §10.3 step 8, §20.23). Pure. */
import type { Timestamp } from "../../model/units.js";
import type { ExtraHeader } from "../message/build.js";
import type { Binding } from "./binding.js";
import type { RegisterOutcome } from "./registrar.js";

export interface RegisterAnswer {
  readonly status: number;
  readonly phrase: string;
  readonly headers: readonly ExtraHeader[];
}

/** @param bindings - all that the user has now */
export function registerAnswer(outcome: RegisterOutcome, bindings: readonly Binding[], now: Timestamp): RegisterAnswer {
  switch (outcome.status) {
    case 200: {
      const contacts = bindings.map((binding) => ({ name: "Contact", value: contactOf(binding, now) }));
      const date = { name: "Date", value: new Date(now).toUTCString() };
      const outbound = outcome.outbound ? [{ name: "Require", value: "outbound" }] : [];
      return { status: 200, phrase: "OK", headers: [...contacts, ...outbound, date] };
    }
    case 423: {
      const least = { name: "Min-Expires", value: String(outcome.minExpires) };
      return { status: 423, phrase: "Interval Too Brief", headers: [least] };
    }
    case 503:
      return { ...outcome, headers: [{ name: "Retry-After", value: "60" }] };
    case 403:
    case 500:
      return { ...outcome, headers: [] };
  }
}

function contactOf({ contact, expires, q, instance, regId }: Binding, now: Timestamp): string {
  const left = Math.max(0, Math.round((expires - now) / 1000));
  const wanted = q === 1000 ? "" : `;q=${q / 1000}`;
  const who = instance === undefined ? "" : `;+sip.instance="<${instance}>"`;
  const flow = regId === undefined ? "" : `;reg-id=${regId}`;
  return `<${contact}>;expires=${left}${wanted}${who}${flow}`;
}
