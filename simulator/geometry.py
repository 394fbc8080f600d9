"""Poses in CARLA's frame: x forward, y right, z up (left-handed); metres and degrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GIMBAL_LOCK = 1.0 - 1e-12  # above this sine of the pitch, yaw and roll rotate about the same axis


@dataclass(frozen=True)
class Transform:
    """A pose: position in metres, angles in degrees.

    Rotations apply in CARLA's order: roll about x, then pitch about y, then yaw about z. A positive yaw turns
    right (from x to y), a positive pitch looks up, a positive roll leans right (the right side goes down).
    """

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0

    def matrix(self) -> np.ndarray:
        """Return the matrix (4, 4) float64 that maps homogeneous local points to the parent frame."""
        matrix = np.eye(4)
        matrix[:3, :3] = rotation_matrix(self.pitch, self.yaw, self.roll)
        matrix[:3, 3] = self.x, self.y, self.z
        return matrix

    def location(self) -> np.ndarray:
        """Return the position (3,) float64."""
        return np.array([self.x, self.y, self.z])

    def forward(self) -> np.ndarray:
        """Return the unit vector (3,) float64 along the local x axis."""
        return rotation_matrix(self.pitch, self.yaw, self.roll)[:, 0]

    def right(self) -> np.ndarray:
        """Return the unit vector (3,) float64 along the local y axis."""
        return rotation_matrix(self.pitch, self.yaw, self.roll)[:, 1]


def rotation_matrix(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """Return the matrix (3, 3) float64 whose columns are the forward, right and up axes; angles in degrees.

    It equals the rotation part of `carla.Transform.get_matrix`.
    """
    sin_pitch, sin_yaw, sin_roll = np.sin(np.radians([pitch, yaw, roll]))
    cos_pitch, cos_yaw, cos_roll = np.cos(np.radians([pitch, yaw, roll]))
    yaw_matrix = np.array([[cos_yaw, -sin_yaw, 0.0], [sin_yaw, cos_yaw, 0.0], [0.0, 0.0, 1.0]])
    pitch_matrix = np.array([[cos_pitch, 0.0, -sin_pitch], [0.0, 1.0, 0.0], [sin_pitch, 0.0, cos_pitch]])
    roll_matrix = np.array([[1.0, 0.0, 0.0], [0.0, cos_roll, sin_roll], [0.0, -sin_roll, cos_roll]])
    return yaw_matrix @ pitch_matrix @ roll_matrix


def from_matrix(matrix: np.ndarray) -> Transform:
    """Return the pose of a rigid (4, 4) matrix; the roll is 0 if it looks straight up or down."""
    sin_pitch = float(np.clip(matrix[2, 0], -1.0, 1.0))
    if abs(sin_pitch) > GIMBAL_LOCK:
        yaw, roll = np.arctan2(-matrix[0, 1], matrix[1, 1]), 0.0
    else:
        yaw = np.arctan2(matrix[1, 0], matrix[0, 0])
        roll = np.arctan2(-matrix[2, 1], matrix[2, 2])
    angles = np.degrees([np.arcsin(sin_pitch), yaw, roll])
    return Transform(*(float(value) for value in (*matrix[:3, 3], *angles)))


def compose(parent: Transform, child: Transform) -> Transform:
    """Return the world pose of `child`, which is given relative to `parent`."""
    return from_matrix(parent.matrix() @ child.matrix())


def inverse(transform: Transform) -> Transform:
    """Return the inverse pose, which composes with `transform` to the identity."""
    rotation = rotation_matrix(transform.pitch, transform.yaw, transform.roll).T
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = -rotation @ transform.location()
    return from_matrix(matrix)


def wrap_degrees(angle: float) -> float:
    """Return the same angle in [-180, 180)."""
    return (angle + 180.0) % 360.0 - 180.0
