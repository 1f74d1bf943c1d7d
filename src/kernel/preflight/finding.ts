/** What preflight says: what is the matter, why it matters, and the command that mends it. */

/** `unknown`: could not be looked at, so neither right nor wrong. */
export type Severity = "ok" | "note" | "warning" | "error" | "unknown";

export interface Finding {
  /** Stable: scripts may rely on it. Several findings may share one, each about another object. */
  readonly id: string;
  readonly severity: Severity;
  /** One line, names the object. */
  readonly what: string;
  /** What goes wrong if it stays so; empty for what is well. */
  readonly why: string;
  /** The exact command where there is one, else a sentence; empty for what is well. */
  readonly remedy: string;
  /** Figures, places and what else helps; may have several lines; may be empty. */
  readonly detail: string;
}

export interface Fault {
  readonly id: string;
  readonly severity: "note" | "warning" | "error";
  readonly what: string;
  readonly why: string;
  readonly remedy: string;
  readonly detail?: string;
}

export const fine = (id: string, what: string, detail = ""): Finding => ({
  id,
  severity: "ok",
  what,
  why: "",
  remedy: "",
  detail,
});

export const fault = ({ detail = "", ...rest }: Fault): Finding => ({ ...rest, detail });

/**
 * @param what - what was to be looked at
 * @param reason - why it could not be
 */
export const unseen = (id: string, what: string, reason: string, remedy = ""): Finding => ({
  id,
  severity: "unknown",
  what,
  why: reason,
  remedy,
  detail: "",
});

/** The faults, or one line that all is well. */
export const faultsOr = (faults: readonly Finding[], id: string, what: string, detail = ""): readonly Finding[] =>
  faults.length > 0 ? faults : [fine(id, what, detail)];
