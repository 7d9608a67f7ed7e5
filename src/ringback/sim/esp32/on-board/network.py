"""`network` as far as the agent uses it: one Wi-Fi station, up when the host's world says so."""

import _host

STA_IF = 0
STAT_IDLE = 1000
STAT_GOT_IP = 1010


class WLAN:
    """The station."""

    def __init__(self, interface=STA_IF):
        self._active = False

    def active(self, on=None):
        """Switch the radio."""
        if on is None:
            return self._active
        self._active = bool(on)
        if not on:
            _host.ask(_host.WLAN_STOP)
        return self._active

    def connect(self, ssid=None, key=None):
        """Begin to connect."""
        _host.ask(_host.WLAN_CONNECT, 0, 0, ((ssid or "") + "\n" + (key or "")).encode())

    def disconnect(self):
        """Leave the network."""
        _host.ask(_host.WLAN_STOP)

    def isconnected(self):
        """Whether there is an address."""
        return _host.ask(_host.WLAN_STATE) == 1

    def status(self, what=None):
        """State, or the signal's strength in dBm."""
        if what == "rssi":
            return -60
        return STAT_GOT_IP if self.isconnected() else STAT_IDLE

    def config(self, *names, **values):
        """Settings of the radio; none of them matters here."""
