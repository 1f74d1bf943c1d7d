/** The one cookie of a portal. */
import { parseSessionSecret, type SessionSecret } from "./session-id.js";

/** `__Host-`: browsers take it only with Secure, for Path=/, and from this very host (RFC 6265bis §4.1.3.2). */
export const COOKIE_NAME = "__Host-sluice";
const ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict";

/** The Set-Cookie header of a log-in. */
export const sessionCookie = (id: SessionSecret): string => `${COOKIE_NAME}=${id}; ${ATTRIBUTES}`;
/** The Set-Cookie header that takes the cookie away. */
export const CLEARED_COOKIE = `${COOKIE_NAME}=; ${ATTRIBUTES}; Max-Age=0`;

/** The session that a Cookie header names; none if it names several: one of them was planted. */
export function readCookie(header: string | undefined): SessionSecret | undefined {
  if (header === undefined) return undefined;
  const values = header.split(";").flatMap((pair) => {
    const [name = "", ...rest] = pair.trim().split("=");
    return name === COOKIE_NAME ? [rest.join("=")] : [];
  });
  const [value] = values;
  return value !== undefined && values.length === 1 ? parseSessionSecret(value) : undefined;
}
