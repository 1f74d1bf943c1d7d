/**
 * Runs in the portal's page before its own script: presses what a player presses as soon as it is there, and notes when things
 * come to be. `__hand.stamps` are milliseconds since 1970, by the machine's clock, which all pages of a machine have in common.
 */
(() => {
  const stamps = {};
  const hand = { stamps, invites: undefined, asksForQuality: true };
  const stamp = (name) => {
    stamps[name] ??= performance.timeOrigin + performance.now();
  };
  const button = (label) =>
    [...document.querySelectorAll("button")].find(
      (each) => (each.getAttribute("aria-label") ?? each.textContent) === label && !each.disabled,
    );
  const is = (selector, text) => document.querySelector(selector)?.textContent === text;

  function look() {
    if (document.querySelector("header.bar") !== null) stamp("loggedIn");
    if (is("#agent-state", "ready")) stamp("registered");
    if (is(".session .phase", "in session")) stamp("inSession");
    const accept = button("Accept");
    // A dialog that has been closed stays in the page for a moment.
    if (accept?.closest("dialog")?.open) {
      stamp("rings");
      // Choices do nothing at first, so that nobody accepts by chance.
      if (accept.ariaDisabled !== "true") {
        stamp("accepted");
        accept.click();
      }
    }
    if (hand.invites !== undefined && stamps.registered !== undefined) invite();
  }

  function invite() {
    if (stamps.asked === undefined) {
      const open = button(`Invite ${hand.invites}`);
      if (open === undefined) return;
      stamp("asked");
      open.click();
    }
    const send = button("Send invitation");
    if (send === undefined || stamps.invited !== undefined) return;
    const reserve = document.getElementById("invite-reserve");
    if (reserve.checked !== hand.asksForQuality) reserve.click();
    stamp("invited");
    send.click();
  }

  /** Presses "Log in", and what follows. */
  hand.logIn = (user, password, invites, asksForQuality) => {
    Object.assign(hand, { invites, asksForQuality });
    document.getElementById("user").value = user;
    document.getElementById("password").value = password;
    stamp("pressed");
    button("Log in").click();
  };
  hand.press = (label) => button(label)?.click();
  hand.forget = () => {
    for (const name of Object.keys(stamps)) delete stamps[name];
  };

  const watchChannel = (channel) => channel.addEventListener("message", () => stamp("message"), { once: true });
  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(...given) {
      super(...given);
      this.addEventListener("datachannel", ({ channel }) => watchChannel(channel));
      this.addEventListener("connectionstatechange", () => {
        if (this.connectionState === "connected") stamp("connected");
      });
      this.addEventListener("icegatheringstatechange", () => {
        if (this.iceGatheringState === "complete") stamp("gathered");
      });
    }

    createDataChannel(...given) {
      const channel = super.createDataChannel(...given);
      watchChannel(channel);
      return channel;
    }
  };
  window.__hand = hand;
  new MutationObserver(look).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
  });
})();
