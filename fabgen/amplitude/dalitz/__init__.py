"""Amplitude models of three-body decays, from data files."""

from fabgen.amplitude.dalitz.amplitude import DalitzAmplitude
from fabgen.amplitude.dalitz.model import AmplitudeModel
from fabgen.amplitude.dalitz.reader import load_amplitude_model, read_amplitude_model

__all__ = ["AmplitudeModel", "DalitzAmplitude", "load_amplitude_model", "read_amplitude_model"]
