//! The bytes of the unit agent's hook-command socket.
