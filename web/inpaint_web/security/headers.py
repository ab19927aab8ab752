"""What a browser is allowed to do with our pages: nothing from elsewhere, no inline code, no frames, no referrer."""

from __future__ import annotations

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
}

HEADERS: dict[str, str] = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "x-robots-tag": "noindex, nofollow",
}
#: Of pages with a form: with no-referrer a browser hides the origin of what the form sends, and we need to know it.
FORM_REFERRER = "same-origin"
#: Pages and answers belong to one visitor and change; pictures and static files say otherwise themselves.
PRIVATE = "private, no-store"
#: A picture never changes under its address. `private`: no proxy in between keeps it.
PICTURE = "private, max-age=3600"
#: Static files have their content's hash in their address.
FOREVER = "public, max-age=31536000, immutable"
