/** How long before its end a certificate is worth a warning: time to have a new one made. */

export const DAY_MS = 86_400_000;
export const EXPIRY_WARNING_DAYS = 14;
