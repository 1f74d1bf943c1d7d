/**
 * A dialog that this proxy ends at both parties. Pure; its life:
 * ```
 *  each party:  talking --start--> asked --final answer, failure, or its own BYE--> over
 *  the dialog:  over when both are
 * ```
 */
import type { DialogParty } from "./dialog-legs.js";

export type PartyState = "talking" | "asked" | "over";
export type TakeDownState = Readonly<Record<DialogParty, PartyState>>;

export type TakeDownEvent =
  | { readonly kind: "start" }
  /** The final answer of a party to the BYE that it got. */
  | { readonly kind: "answered"; readonly party: DialogParty }
  /** Nowhere to send it, or nobody answered in time. */
  | { readonly kind: "failed"; readonly party: DialogParty }
  /** The party's own BYE came here. */
  | { readonly kind: "bye"; readonly party: DialogParty };

export type TakeDownAction =
  | { readonly do: "sendBye"; readonly party: DialogParty }
  /** 200 to the BYE that came. */
  | { readonly do: "answer" }
  /** Both parties are out of it: said once. */
  | { readonly do: "over" };

export interface TakeDownStep {
  readonly state: TakeDownState;
  readonly actions: readonly TakeDownAction[];
}

export const TALKING: TakeDownState = { caller: "talking", callee: "talking" };

const PARTIES: readonly DialogParty[] = ["caller", "callee"];

export function stepTakeDown(state: TakeDownState, event: TakeDownEvent): TakeDownStep {
  switch (event.kind) {
    case "start": {
      const talking = PARTIES.filter((party) => state[party] === "talking");
      const asked = Object.fromEntries(talking.map((party) => [party, "asked"] as const));
      return { state: { ...state, ...asked }, actions: talking.map((party) => ({ do: "sendBye", party })) };
    }
    case "answered":
      // §15.1.1: 481 and 408 end the dialog as 200 does. So does every other answer: nothing is left to ask with; a
      // challenge (§22) cannot be met in somebody else's name.
      return leave(state, event.party, []);
    case "failed":
      // §15.1.1: no response at all counts as 481.
      return leave(state, event.party, []);
    case "bye":
      // §15.1.2: who sends BYE has left. It crossed ours, which ends the dialog at the other: the answer is known.
      return leave(state, event.party, [{ do: "answer" }]);
  }
}

function leave(before: TakeDownState, party: DialogParty, actions: readonly TakeDownAction[]): TakeDownStep {
  const state: TakeDownState = { ...before, [party]: "over" };
  const isNews = before[party] !== "over" && state.caller === "over" && state.callee === "over";
  return { state, actions: isNews ? [...actions, { do: "over" }] : actions };
}
